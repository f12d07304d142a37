package mptcp

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
)

func TestInspectUntracked(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		client, server := pairOn(t, address, true)
		for name, c := range map[string]net.Conn{
			"client": client, "server": server, "TLS": tls.Client(client, &tls.Config{}),
			"embedding": struct{ *net.TCPConn }{client},
		} {
			if s, err := Inspect(c); err != nil || s.State != Multipath || !s.Confirmed || s.Token == 0 {
				t.Errorf("%s %s: %v, %v", address, name, s, err)
			}
		}
		if s, _ := Inspect(client); true {
			if n, ok := s.Subflows(); !ok || n != 1 {
				t.Errorf("%d subflows, %v", n, ok)
			}
			if sent, received, ok := s.Bytes(); !ok || sent != 1 || received != 1 {
				t.Errorf("sent %d, received %d, %v: want 1, 1", sent, received, ok)
			}
		}

		client, server = pairOn(t, address, false)
		if s, err := Inspect(client); err != nil || s.State != Fallback || s.Reason != ReasonNotAnswered {
			t.Errorf("%s fallen back: %v, %v", address, s, err)
		}
		if s, err := Inspect(server); err != nil || s.State != TCP || s.Reason != ReasonUnknown {
			t.Errorf("%s accepted by TCP: %v, %v", address, s, err)
		}
		if list, err := Subflows(client); err != nil || len(list) != 1 || list[0].State != TCPEstablished || list[0].ID != 0 {
			t.Errorf("%s fallen back: subflows %v, %v", address, list, err)
		}
	}
}

func TestInspectClosed(t *testing.T) {
	client, _ := pair(t, true)
	client.Close()
	if s, err := Inspect(client); s.State != Unknown || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Inspect: %v, %v", s, err)
	}
	if list, err := Subflows(client); list != nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Subflows: %v, %v", list, err)
	}
}

func TestInspectOtherSockets(t *testing.T) {
	udp, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	local, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for _, c := range []net.Conn{udp, local} {
		if s, err := Inspect(c); !errors.Is(err, ErrNotTCP) {
			t.Errorf("Inspect(%T) = %v, %v", c, s, err)
		}
		if list, err := Subflows(c); !errors.Is(err, ErrNotTCP) {
			t.Errorf("Subflows(%T) = %v, %v", c, list, err)
		}
	}
}

// TestInspectWithoutDescriptors: while the process has none left nobody can ask
// why the connection fell back. What is kept for good is the answer, and not that.
func TestInspectWithoutDescriptors(t *testing.T) {
	client, _ := pair(t, false)
	conntable.Add(client, &conntable.Entry{})
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(next)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	s, err := InspectAddr(client.LocalAddr())
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err != nil || s.State != Fallback || s.Reason != ReasonUnknown {
		t.Errorf("without descriptors: %v, %v", s, err)
	}
	for range 2 {
		if s, err := InspectAddr(client.LocalAddr()); err != nil || s.State != Fallback || s.Reason != ReasonNotAnswered {
			t.Errorf("with descriptors again: %v, %v", s, err)
		}
	}
}

func TestReadCounters(t *testing.T) {
	before, err := ReadCounters()
	if err != nil {
		t.Fatal(err)
	}
	pair(t, true)
	after, err := ReadCounters()
	if err != nil {
		t.Fatal(err)
	}
	d := after.Sub(before)
	for _, name := range []string{"MPCapableSYNTX", "MPCapableSYNACKRX", "MPCapableSYNRX", "MPCapableACKRX"} {
		if d[name] == 0 {
			t.Errorf("%s did not move: %v", name, d)
		}
	}
}

// TestInspectLeavesNothing: the lookup of a reason opens sockets of its own.
func TestInspectLeavesNothing(t *testing.T) {
	client, _ := pair(t, false)
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	if _, err := Inspect(client); err != nil {
		t.Fatal(err)
	}
	before := count()
	for range 100 {
		if _, err := Inspect(client); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after > before {
		t.Errorf("%d file descriptors before, %d after", before, after)
	}
}

func BenchmarkInspect(b *testing.B) {
	for _, multipath := range []bool{true, false} {
		client, _ := pair(b, multipath)
		name := map[bool]string{true: "multipath", false: "fallback"}[multipath]
		b.Run(name+"/untracked", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Inspect(client)
			}
		})
		b.Run(name+"/MultipathTCP", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				client.MultipathTCP()
			}
		})
	}
}
