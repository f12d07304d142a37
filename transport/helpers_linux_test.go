package transport_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/transport"
)

func hostCongestion(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestCongestionControlLeftAlone: nothing is set on a host whose default does
// not collapse.
func TestCongestionControlLeftAlone(t *testing.T) {
	const file = "/proc/sys/net/ipv4/tcp_congestion_control" // of the laboratory's own namespace
	before := hostCongestion(t)
	if err := os.WriteFile(file, []byte("reno"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(file, []byte(before), 0)
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	if r, _ := transport.Lookup(c.LocalAddr()).Dial(); r.CongestionControl != "" {
		t.Errorf("the record says that %q was set", r.CongestionControl)
	}
	if name := ln.(*transport.Listener).CongestionControl(); name != "" {
		t.Errorf("the listener says that %q was set", name)
	}
	for _, a := range []net.Addr{c.LocalAddr(), (<-conns).LocalAddr()} {
		if got := transport.Lookup(a).CongestionControl(); got != "reno" {
			t.Errorf("uses %q, the host's default is reno", got)
		}
	}
}

// TestCongestionControlRefused: where this host refuses Multipath TCP, TCP is
// as it would have been without this package, and the record says that TCP was
// dialed.
func TestCongestionControlRefused(t *testing.T) {
	const file = "/proc/sys/net/mptcp/enabled" // of the laboratory's own namespace
	if err := os.WriteFile(file, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(file, []byte("1"), 0)
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := accept(t, ln)
	for _, name := range []string{"", "reno"} {
		d := transport.Dialer{CongestionControl: name}
		c, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, a := range []net.Addr{c.LocalAddr(), (<-conns).LocalAddr()} {
			if got, host := transport.Lookup(a).CongestionControl(), hostCongestion(t); got != host {
				t.Errorf("uses %q, the host's default is %q", got, host)
			}
		}
		r, _ := transport.Lookup(c.LocalAddr()).Dial()
		if r.MultipathAttempts != 0 || r.TCPAttempts != 1 || r.CongestionControl != "" {
			t.Errorf("%+v", r)
		}
	}
}
