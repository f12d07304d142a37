package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// ends connects the scene's client to a listener of its server, both with the
// user timeout, and returns both ends after an exchange.
func (s *scene) ends(userTimeout time.Duration, client, server transport.Mode) (c, srv net.Conn) {
	s.t.Helper()
	lc := transport.ListenConfig{NetListenConfig: s.server.ListenConfig(), Mode: server, UserTimeout: userTimeout}
	ln, err := lc.Listen(context.Background(), "tcp", ":0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { ln.Close() })
	d := s.dialer()
	d.Mode, d.UserTimeout = client, userTimeout
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	c, err = d.Dial("tcp", netip.AddrPortFrom(s.link.Addr(s.server), port).String())
	if err != nil {
		s.t.Fatal(err)
	}
	srv, err = ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close(); srv.Close() })
	for _, pair := range [][2]net.Conn{{c, srv}, {srv, c}} {
		pair[0].Write([]byte("ping"))
		if _, err := io.ReadFull(pair[1], make([]byte, 4)); err != nil {
			s.t.Fatal(err)
		}
	}
	return c, srv
}

// lost waits until a blocked read of c fails, and checks that it does not look
// like the peer's regular end, and that the next write fails as well.
func lost(t *testing.T, c net.Conn) error {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := c.Read(make([]byte, 1))
	if err == nil || err == io.EOF || errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v: want the error of a lost connection", err)
	}
	if op := (*net.OpError)(nil); !errors.As(err, &op) {
		t.Errorf("read: %T, want a *net.OpError", err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("the next write does not fail")
	}
	return err
}

// TestHalfCloseAfterRest: the end of the stream is on its way to the peer, on a
// connection where for longer than the user timeout there was nothing to
// acknowledge.
func TestHalfCloseAfterRest(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	s := newScene(t, mptcptest.LinkConfig{Delay: 400 * time.Millisecond}, transport.Require, false)
	c, srv := s.ends(timeout, transport.Require, transport.Require)
	time.Sleep(timeout + time.Second)
	c.(*net.TCPConn).CloseWrite()
	if _, err := io.ReadAll(srv); err != nil {
		t.Errorf("the peer read: %v", err)
	}
	if _, err := srv.Write([]byte("goodbye")); err != nil {
		t.Errorf("the peer wrote: %v", err)
	}
	srv.Close()
	if b, err := io.ReadAll(c); string(b) != "goodbye" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

// TestUserTimeout: the only path is silently dead and data is outstanding.
// Whatever carries the connection, it ends in time, at both ends, and says why.
func TestUserTimeout(t *testing.T) {
	for _, tt := range []struct {
		name           string
		client, server transport.Mode
		strip          bool
		rest           time.Duration
	}{
		{name: "multipath", client: transport.Require, server: transport.Require},
		{name: "multipath after a rest", client: transport.Require, server: transport.Require, rest: 3 * time.Second},
		{name: "fallback", client: transport.Prefer, server: transport.Off},
		{name: "TCP", client: transport.Off, server: transport.Off},
		{name: "TCP after a rest", client: transport.Off, server: transport.Off, rest: 3 * time.Second},
		{name: "mid-stream fallback", client: transport.Require, server: transport.Require, strip: true, rest: time.Second},
	} {
		for _, timeout := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			t.Run(tt.name+", "+timeout.String(), func(t *testing.T) {
				t.Parallel()
				inTime(t, timeout, func() map[string]time.Duration {
					s := newScene(t, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
					c, srv := s.ends(timeout, tt.client, tt.server)
					if tt.strip {
						s.link.Inject(mptcptest.StripMPTCP(mptcptest.Always))
						c.Write([]byte("ping"))
						io.ReadFull(srv, make([]byte, 4))
						srv.Write([]byte("ping"))
						io.ReadFull(c, make([]byte, 4))
						if st, err := mptcp.Inspect(c); st.State != mptcp.Fallback || err != nil {
							t.Errorf("%v, %v", st, err)
						}
					}
					time.Sleep(tt.rest)
					quiet(t, c, srv)
					s.link.Inject(mptcptest.DropAll())
					return eachLost(t, map[string]net.Conn{"dialed": c, "accepted": srv})
				})
			})
		}
	}
}

// quiet waits until everything that was written is acknowledged.
func quiet(t *testing.T, conns ...net.Conn) {
	t.Helper()
	for _, c := range conns {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			list, err := mptcp.Subflows(c)
			if err != nil {
				t.Fatal(err)
			}
			s, err := mptcp.Inspect(c)
			if err != nil {
				t.Fatal(err)
			}
			sent, _, _ := s.Bytes()
			acked, _ := s.Acked()
			if len(list) == 1 && list[0].Unacked == 0 && sent == acked {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%d bytes sent, %d acknowledged, %+v", sent, acked, list)
			}
		}
	}
}

// eachLost writes to each connection, and returns how long after that each was
// lost, once they all are.
func eachLost(t *testing.T, ends map[string]net.Conn) map[string]time.Duration {
	var mu sync.Mutex
	var wg sync.WaitGroup
	after := make(map[string]time.Duration)
	for name, c := range ends {
		wg.Go(func() {
			start := time.Now()
			c.Write([]byte("hello"))
			err := lost(t, c)
			d := time.Since(start)
			if errors.Is(err, syscall.ETIMEDOUT) {
				t.Logf("%s: TCP itself was faster: %v", name, err)
			} else if st, err := mptcp.Inspect(c); st.Reason != mptcp.ReasonUnacknowledged || err != nil {
				t.Errorf("%s: %v, %v", name, st, err)
			} else if st, err := transport.Lookup(c.LocalAddr()).Status(); st.Reason != mptcp.ReasonUnacknowledged || err != nil {
				t.Errorf("%s: its record says %v, %v", name, st, err)
			}
			mu.Lock()
			defer mu.Unlock()
			after[name] = d
		})
	}
	wg.Wait()
	return after
}

// inTime checks that all that end loses is lost when the timeout is over, and
// no more than a tenth of it later. A busy machine may be late: that counts only
// if it is so each time.
func inTime(t *testing.T, timeout time.Duration, end func() map[string]time.Duration) {
	t.Helper()
	for try := 1; ; try++ {
		late := false
		after := end()
		t.Logf("ended after %v", after)
		for name, d := range after {
			if d < timeout*97/100 {
				t.Errorf("%s ended after %v, want %v", name, d, timeout)
			}
			late = late || d > timeout*110/100
		}
		if !late || t.Failed() {
			return
		}
		if try == 3 {
			t.Fatalf("ended after %v, want %v + 10 %%", after, timeout)
		}
	}
}

// TestUserTimeoutOneWay: nothing that one end sends arrives, and all that the
// other end sends does.
func TestUserTimeoutOneWay(t *testing.T) {
	const timeout = 4 * time.Second
	for _, end := range []string{"dialed", "accepted"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			inTime(t, timeout, func() map[string]time.Duration {
				s := newScene(t, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
				c, srv := s.ends(timeout, transport.Require, transport.Require)
				from := s.client
				if end == "accepted" {
					c, srv, from = srv, c, s.server
				}
				quiet(t, c, srv)
				s.link.From(from).Inject(mptcptest.DropAll())
				go func() {
					for range 20 {
						srv.Write([]byte("hello"))
						time.Sleep(timeout / 10)
					}
				}()
				start := time.Now()
				c.Write([]byte("hello"))
				for {
					c.SetReadDeadline(start.Add(30 * time.Second))
					if _, err := c.Read(make([]byte, 64)); err != nil {
						return map[string]time.Duration{end: time.Since(start)}
					}
				}
			})
		})
	}
}

// TestUserTimeoutZeroWindow: the peer lives and reads nothing, so that nothing
// can be sent to it.
func TestUserTimeoutZeroWindow(t *testing.T) {
	const timeout = 2 * time.Second
	for _, mode := range []transport.Mode{transport.Require, transport.Off} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
			c, _ := s.ends(timeout, mode, mode)
			wrote := make(chan error, 1)
			go func() {
				for {
					if _, err := c.Write(make([]byte, 64<<10)); err != nil {
						wrote <- err
						return
					}
				}
			}()
			start := time.Now()
			select {
			case err := <-wrote:
				if took := time.Since(start); took < timeout*97/100 {
					t.Errorf("after %v: %v", took, err)
				}
			case <-time.After(15 * time.Second):
				t.Fatal("a write to a peer that reads nothing still waits")
			}
			if st, err := mptcp.Inspect(c); st.Reason != mptcp.ReasonUnacknowledged || err != nil {
				t.Errorf("%v, %v", st, err)
			}
		})
	}
}

// TestUserTimeoutProgress: a slow path is not a dead one.
func TestUserTimeoutProgress(t *testing.T) {
	t.Parallel()
	s := newScene(t, mptcptest.LinkConfig{Rate: 400 * mptcptest.Kbit, Delay: 100 * time.Millisecond}, transport.Require, false)
	c, srv := s.ends(time.Second, transport.Require, transport.Require)
	go func() {
		c.Write(make([]byte, 250<<10)) // five seconds' worth
		c.(*net.TCPConn).CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, srv); n != 250<<10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}
