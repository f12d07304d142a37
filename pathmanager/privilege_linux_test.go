package pathmanager_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// TestUnprivileged starts this program without any capability in a host: it
// can read everything and change nothing, and is told what it lacks.
func TestUnprivileged(t *testing.T) {
	h := mptcptest.New(t).Host("h")
	h.SetLimits(3, 4)
	h.AddEndpoint(netip.MustParseAddr("10.9.0.1"), mptcptest.Subflow)
	cmd := h.Unprivileged(os.Args[0], "-test.run=^TestUnprivilegedChild$", "-test.v")
	cmd.Env = append(os.Environ(), "PATHMANAGER_CHILD=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestUnprivilegedChild") {
		t.Errorf("%v: the child said:\n%s", err, out)
	}
}

// TestUnprivilegedChild is the process that TestUnprivileged starts.
func TestUnprivilegedChild(t *testing.T) {
	if os.Getenv("PATHMANAGER_CHILD") == "" {
		return
	}
	caps := [2]unix.CapUserData{}
	must(t, unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0]))
	if caps[0].Effective|caps[0].Permitted|caps[1].Effective|caps[1].Permitted != 0 {
		t.Fatalf("capabilities %x", caps)
	}
	c, err := pathmanager.Dial()
	must(t, err)
	defer c.Close()
	a := netip.MustParseAddr("10.9.0.1")
	all, err := c.Endpoints()
	if err != nil || len(all) != 1 || all[0].Addr != a || all[0].Flags != pathmanager.Subflow {
		t.Errorf("endpoints %v, %v", all, err)
	}
	if e, err := c.Endpoint(all[0].ID); err != nil || e.Addr != a {
		t.Errorf("endpoint %v, %v", e, err)
	}
	if l, err := c.Limits(); err != nil || l.Subflows != 3 || l.AddAddrAccepted != 4 {
		t.Errorf("limits %v, %v", l, err)
	}
	conn := c.Connection(0x1234)
	_, err = conn.Endpoints()
	refused(t, "addresses", err, os.ErrNotExist)

	remote := netip.MustParseAddrPort("10.9.0.2:80")
	_, eventsErr := c.Events(t.Context())
	e := pathmanager.Endpoint{ID: 5, Addr: netip.MustParseAddr("10.9.0.5")}
	for _, tt := range []struct {
		what string
		err  error
		word string
	}{
		{"AddEndpoint", c.AddEndpoint(e), "adding endpoint 10.9.0.5"},
		{"DeleteEndpoint", c.DeleteEndpoint(all[0]), "deleting endpoint 10.9.0.1"},
		{"SetFlags", c.SetFlags(e), "flags of endpoint id 5"},
		{"Flush", c.Flush(), "deleting all endpoints"},
		{"SetLimits", c.SetLimits(pathmanager.Limits{}), "setting the limits"},
		{"Events", eventsErr, "events"},
		{"Announce", conn.Announce(e), "announcing 10.9.0.5"},
		{"Remove", conn.Remove(5), "removing address id 5"},
		{"CreateSubflow", conn.CreateSubflow(e, e), "creating subflow from 10.9.0.5"},
		{"DestroySubflow", conn.DestroySubflow(remote, remote), "destroying subflow from 10.9.0.2:80"},
		{"SetBackup", conn.SetBackup(remote, remote, true), "10.9.0.2:80"},
	} {
		refused(t, tt.what, tt.err, os.ErrPermission, "CAP_NET_ADMIN", tt.word)
		if !errors.Is(tt.err, unix.EPERM) {
			t.Errorf("%s: %v is not EPERM", tt.what, tt.err)
		}
	}
	ns, err := os.Open("/proc/thread-self/ns/net")
	must(t, err)
	defer ns.Close()
	_, err = pathmanager.DialIn(ns)
	refused(t, "DialIn", err, os.ErrPermission, "CAP_SYS_ADMIN", ns.Name())
	if after, err := c.Endpoints(); err != nil || len(after) != 1 {
		t.Errorf("endpoints %v, %v", after, err)
	}
}
