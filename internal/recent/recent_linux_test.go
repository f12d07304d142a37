package recent

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/transport"
)

func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = new(transport.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

func atEnd(local, remote net.Addr, now time.Duration, exact bool) (s mptcp.Status, err error) {
	err = AtEnd(&s, local, remote, now, exact)
	return s, err
}

// What ends within [Fresh] shares a look at its connection; what ends later does
// not, and what is seen before an end is for nobody else.
func TestAtEnd(t *testing.T) {
	client, server := connect(t)
	now := Now()
	inspect := func(now time.Duration) (mptcp.Status, error) {
		return atEnd(client.LocalAddr(), client.RemoteAddr(), now, false)
	}

	// Not confirmed: it is looked at again, and seen to have changed.
	if s, err := inspect(now); err != nil || s.State != mptcp.Multipath || s.Confirmed {
		t.Fatalf("%v, %v", s, err)
	}
	for _, c := range [][2]net.Conn{{client, server}, {server, client}} {
		if _, err := c[0].Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := c[1].Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := Before(client.LocalAddr(), now); err != nil || !s.Confirmed {
		t.Fatalf("%v, %v", s, err)
	}
	sent := func(want uint64) {
		t.Helper()
		s, err := inspect(now)
		if n, _, ok := s.Bytes(); err != nil || !s.Confirmed || n != want || !ok {
			t.Fatalf("%v, %v: %d bytes, want %d", s, err, n, want)
		}
	}
	if _, err := client.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	sent(2)
	if _, err := client.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	sent(2)
	now += Fresh
	sent(3)

	// Whether the connection is looked at is told by its end.
	client.Close()
	for range 2 {
		if s, err := inspect(now + Fresh - 1); err != nil || !s.Confirmed {
			t.Errorf("soon after: %v, %v", s, err)
		}
		if s, err := Before(client.LocalAddr(), now+Fresh-1); err != nil || !s.Confirmed {
			t.Errorf("soon after, before an end: %v, %v", s, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { inspect(now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if _, err := inspect(now + Fresh); !errors.Is(err, net.ErrClosed) {
		t.Errorf("later: %v", err)
	}
	if _, err := atEnd(client.LocalAddr(), client.RemoteAddr(), now, true); !errors.Is(err, net.ErrClosed) {
		t.Errorf("exactly: %v", err)
	}
	if _, err := atEnd(&net.UnixAddr{}, nil, now, false); err != mptcp.ErrNotTCP {
		t.Errorf("of a Unix socket: %v", err)
	}
}

// What is known to have fallen back, or to have been ended, is not said to use
// Multipath TCP because it did so a moment before.
func TestKnownBetter(t *testing.T) {
	c, _ := connect(t)
	e := conntable.ByLocal(c.LocalAddr().(*net.TCPAddr))
	now := Now()
	e.Recent.Store(&look{now, mptcp.Status{State: mptcp.Multipath, Confirmed: true, Token: 1}})
	if s, err := atEnd(c.LocalAddr(), nil, now, false); err != nil || s.Token != 1 {
		t.Fatalf("%v, %v: not what was seen a moment before", s, err)
	}
	e.Ended.Store(uint32(mptcp.ReasonUnacknowledged))
	defer e.Ended.Store(0)
	if s, err := atEnd(c.LocalAddr(), nil, now, false); s.Token == 1 {
		t.Errorf("ended: %v, %v", s, err)
	}
	if l, _ := e.Recent.Load().(*look); l == nil || l.status.Token != 1 {
		t.Errorf("%v was kept of a connection that had ended", l)
	}
}
