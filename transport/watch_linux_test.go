package transport

import (
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/mptcptest"
)

// TestLateLook: among many connections one that has rested is looked at rarely.
// What was written to it meanwhile, in vain, is dated back to when it was sent.
func TestLateLook(t *testing.T) {
	t.Parallel()
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{})
	ln, err := (&ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", net.JoinHostPort(link.Addr(server).String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := Dialer{NetDialer: client.Dialer(), Mode: Require}
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(10 * time.Second)
	for s := (mptcp.Status{}); !s.Confirmed; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%v: not confirmed after data", s)
		}
		if s, err = mptcp.Inspect(c); err != nil {
			t.Fatal(err)
		}
	}
	w, s := &watch{e: conntable.ByLocal(c.LocalAddr().(*net.TCPAddr)), userTimeout: time.Minute}, newSight()
	w.next(time.Since(epoch), s)
	time.Sleep(time.Second)
	link.Inject(mptcptest.DropAll())
	before := time.Since(epoch)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	after := time.Since(epoch)
	time.Sleep(3 * time.Second) // some retransmissions
	w.next(time.Since(epoch), s)
	const clock = 20 * time.Millisecond // steps of the kernel's
	if !w.stalled || w.progress < before-clock || w.progress > after+clock {
		t.Errorf("dated %v after the write", w.progress-before)
	}
}

// TestInterval: how often a connection is looked at.
func TestInterval(t *testing.T) {
	for _, tt := range []struct {
		userTimeout       time.Duration
		crowd             int
		resting, stirring time.Duration
	}{
		{0, 1, idleInterval, busyInterval},
		{20 * time.Second, 1, idleInterval, busyInterval},
		{2 * time.Second, 1, 100 * time.Millisecond, 100 * time.Millisecond},
		{300 * time.Millisecond, 1, tick, tick},
		{0, 10_000, 8 * time.Second, 8 * time.Second},
		{20 * time.Second, 10_000, 8 * time.Second, time.Second},
		{time.Second, 10_000, 8 * time.Second, tick},
	} {
		w := &watch{userTimeout: tt.userTimeout}
		if r, s := w.resting(tt.crowd), w.stirring(busyInterval, tt.crowd); r != tt.resting || s != tt.stirring {
			t.Errorf("%v, one of %d: %v and %v, want %v and %v", tt.userTimeout, tt.crowd, r, s, tt.resting, tt.stirring)
		}
	}
}
