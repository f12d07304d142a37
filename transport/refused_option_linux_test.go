package transport

import (
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// TestRefusedOptions: an option that the kernel refuses does not fail a dial,
// and is counted.
func TestRefusedOptions(t *testing.T) {
	refused := func(f func()) [2]uint64 {
		var before, after conntable.Sums
		before.Read()
		f()
		after.Read()
		return [2]uint64{after.Refused[0] - before.Refused[0], after.Refused[1] - before.Refused[1]}
	}
	ln, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := refused(func() {
		c, err := (&Dialer{CongestionControl: "nonexistent"}).Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if r, _ := Lookup(c.LocalAddr()).Dial(); r.CongestionControl != "" {
			t.Errorf("the record says that %q was set", r.CongestionControl)
		}
	})
	if want := [2]uint64{conntable.CongestionControl: 1}; got != want {
		t.Errorf("counted %v, want %v", got, want)
	}

	udp, err := net.Dial("udp", "127.0.0.1:9") // has no options of TCP
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	raw, err := udp.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got = refused(func() { setUserTimeout(raw, time.Minute) })
	if want := [2]uint64{conntable.UserTimeout: 1}; got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
}
