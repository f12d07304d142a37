package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/transport"
)

// TestConn runs the tests that every net.Conn has to pass.
func TestConn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		listen func(testing.TB, string) net.Listener
		dial   transport.Mode
		want   mptcp.State
	}{
		{"multipath", listenMultipath, transport.Require, mptcp.Multipath},
		{"fallback", listenTCP, transport.Prefer, mptcp.Fallback},
		{"tcp", listenTCP, transport.Off, mptcp.TCP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				ln := tt.listen(t, "127.0.0.1:0")
				defer ln.Close()
				c1, err = (&transport.Dialer{Mode: tt.dial}).Dial("tcp", ln.Addr().String())
				if err != nil {
					return nil, nil, nil, err
				}
				if c2, err = ln.Accept(); err != nil {
					return nil, nil, nil, err
				}
				if s, err := mptcp.Inspect(c1); err != nil || s.State != tt.want {
					return nil, nil, nil, fmt.Errorf("%v, %v: want %v", s, err, tt.want)
				}
				return c1, c2, func() { c1.Close(); c2.Close() }, nil
			})
		})
	}
}

// usage counts what a dial may leave behind.
type usage struct{ goroutines, fds, entries int }

func measure(t testing.TB) (u usage) {
	t.Helper()
	runtime.GC()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{runtime.NumGoroutine(), len(fds), conntable.Len()}
}

// backTo waits until usage is no more than before.
func backTo(t testing.TB, before usage) {
	t.Helper()
	var now usage
	for range 400 {
		now = measure(t)
		if now.goroutines <= before.goroutines && now.fds <= before.fds && now.entries <= before.entries {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("before %+v, after %+v", before, now)
}

var errAny = errors.New("some error")

// TestNothingLeaks dials ten thousand times, in every way in which a dial can
// end on one host.
func TestNothingLeaks(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	multipath, plain := listenMultipath(t, "127.0.0.1:0"), listenTCP(t, "127.0.0.1:0")
	closed := listenTCP(t, "127.0.0.1:0")
	refused := closed.Addr().String()
	closed.Close()
	for _, ln := range []net.Listener{multipath, plain} {
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
	time.Sleep(10 * time.Millisecond)
	before := measure(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range n / 8 {
				d := transport.Dialer{}
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				address := multipath.Addr().String()
				var want error // any, if nil, or none
				switch (i + g) % 11 {
				case 0, 1, 2:
				case 3:
					address = plain.Addr().String()
				case 4:
					address, d.Mode, want = plain.Addr().String(), transport.Require, transport.ErrFallback
				case 5:
					address, want = refused, syscall.ECONNREFUSED
				case 6: // both attempts at once
					d.HeadStart = time.Nanosecond
				case 7: // canceled at some moment of the dial
					time.AfterFunc(time.Duration(i%200)*time.Microsecond, cancel)
				case 8: // no route, in a network of loopback alone
					address, want = "192.0.2.1:9", syscall.ENETUNREACH
				case 9:
					cancel()
					ctx, cancel = context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
					want = context.DeadlineExceeded
				case 10:
					address, want = "127.0.0.1", errAny
				}
				c, err := d.DialContext(ctx, "tcp", address)
				cancel()
				if err != nil {
					if op, ok := err.(*net.OpError); !ok || op.Op != "dial" {
						t.Errorf("%s: error is %T %v", address, err, err)
					}
				}
				if want != nil && !errors.Is(err, want) && (want != errAny || err == nil) {
					t.Errorf("%s: %v, want %v", address, err, want)
				}
				if err != nil {
					continue
				}
				if c.LocalAddr().String() == c.RemoteAddr().String() {
					t.Error("connected to itself")
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	backTo(t, before)
}

// TestConnections: the list has the open connections and no others.
func TestConnections(t *testing.T) {
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := <-conns
	find := func(a net.Addr) (found *transport.Connection) {
		for conn := range transport.Connections() {
			if conn.LocalAddr() == a {
				found = conn
			}
		}
		return found
	}
	dialed, accepted := find(c.LocalAddr()), find(s.LocalAddr())
	if dialed == nil || accepted == nil {
		t.Fatal("an open connection is not listed")
	}
	if dialed.Role() != transport.Dialed || accepted.Role() != transport.Accepted || dialed.ID() == accepted.ID() {
		t.Errorf("%v %d, %v %d", dialed.Role(), dialed.ID(), accepted.Role(), accepted.ID())
	}
	if r, ok := dialed.Dial(); !ok || r.Address != ln.Addr().String() || r.MultipathAttempts != 1 || r.TCPAttempts != 0 || r.Duration <= 0 {
		t.Errorf("%+v, %v", r, ok)
	}
	if _, ok := accepted.Dial(); ok {
		t.Error("an accepted connection has a dial record")
	}
	c.Close()
	if find(c.LocalAddr()) != nil {
		t.Error("a closed connection is listed")
	}
	if s, err := dialed.Status(); err == nil {
		t.Errorf("a closed connection: %v, no error", s)
	}
}

// TestClosedBeforeAsked: there is a last known status even if nobody asked
// while the connection was open.
func TestClosedBeforeAsked(t *testing.T) {
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := <-conns
	for _, c := range []net.Conn{c, s} {
		c.Close()
		if st, err := mptcp.InspectAddr(c.LocalAddr()); st.State != mptcp.Multipath || !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, %v: want multipath and net.ErrClosed", st, err)
		}
	}
}
