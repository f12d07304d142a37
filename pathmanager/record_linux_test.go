package pathmanager_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

var recordFlag = flag.Bool("record", false, "write what the kernel says to testdata, from where TestDecode reads it")

var recorded struct {
	sync.Mutex
	kinds []string // type of event and its attributes
}

// record writes one event of each kind that is heard in a host to testdata, if
// the flag is set.
func record(t testing.TB, h *mptcptest.Host) {
	t.Helper()
	if !*recordFlag {
		return
	}
	var c *genetlink.Conn
	var err error
	h.Do(func() { c, err = genetlink.Dial(nil) })
	must(t, err)
	t.Cleanup(func() { c.Close() })
	f, err := c.GetFamily("mptcp_pm")
	must(t, err)
	i := slices.IndexFunc(f.Groups, func(g genetlink.MulticastGroup) bool { return g.Name == "mptcp_pm_events" })
	must(t, c.JoinGroup(f.Groups[i].ID))
	go func() {
		for {
			msgs, raw, err := c.Receive()
			if err != nil {
				return
			}
			for i, m := range msgs {
				write(t, m, raw[i].Data)
			}
		}
	}()
}

func write(t testing.TB, m genetlink.Message, raw []byte) {
	typ := pathmanager.EventType(m.Header.Command).String()
	kind := typ
	ad, err := netlink.NewAttributeDecoder(m.Data)
	if err != nil {
		t.Error(err)
		return
	}
	for ad.Next() {
		kind += fmt.Sprint(" ", ad.Type())
	}
	recorded.Lock()
	defer recorded.Unlock()
	if slices.Contains(recorded.kinds, kind) {
		return
	}
	n := 1
	for _, k := range recorded.kinds {
		if len(k) > len(typ) && k[:len(typ)+1] == typ+" " {
			n++
		}
	}
	recorded.kinds = append(recorded.kinds, kind)
	if err := os.WriteFile(filepath.Join("testdata", fmt.Sprintf("%s-%d.bin", typ, n)), raw, 0o666); err != nil {
		t.Error(err)
	}
}

// recordAnswer writes the answers to a request to testdata, one after the
// other, if the flag is set.
func recordAnswer(t testing.TB, h *mptcptest.Host, name string, cmd uint8, flags netlink.HeaderFlags) {
	t.Helper()
	if !*recordFlag {
		return
	}
	h.Do(func() {
		c, err := genetlink.Dial(nil)
		must(t, err)
		defer c.Close()
		f, err := c.GetFamily("mptcp_pm")
		must(t, err)
		msgs, err := c.Execute(genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 1}}, f.ID, netlink.Request|flags)
		must(t, err)
		var all []byte
		for _, m := range msgs {
			all = append(all, m.Data...)
		}
		must(t, os.WriteFile(filepath.Join("testdata", name), all, 0o666))
	})
}
