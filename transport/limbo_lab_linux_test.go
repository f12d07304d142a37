package transport_test

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// twoPaths is a scene with a second link, on which no endpoint is yet.
func twoPaths(t *testing.T) (s *scene, second *mptcptest.Link) {
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	first := lab.Link(client, server, mptcptest.LinkConfig{Name: "first"})
	second = lab.Link(client, server, mptcptest.LinkConfig{Name: "second"})
	client.SetLimits(2, 2)
	server.SetLimits(2, 2)
	return &scene{t: t, client: client, server: server, link: first, memory: new(transport.Memory)}, second
}

// subflows waits until c has n subflows.
func subflows(t *testing.T, c net.Conn, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := count(t, c)
		if got == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d subflows, want %d", got, n)
		}
	}
}

// count returns how many subflows c has.
func count(t *testing.T, c net.Conn) int {
	t.Helper()
	st, err := mptcp.Inspect(c)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := st.Subflows()
	return n
}

// inLimbo waits until c has no subflow any more, and returns how long it took
// from then on until a blocked read of it failed.
func inLimbo(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	failed := make(chan time.Time, 1)
	go func() {
		lost(t, c)
		failed <- time.Now()
	}()
	subflows(t, c, 0)
	began := time.Now()
	return (<-failed).Sub(began)
}

// TestLimbo: the peer has forgotten the connection and answers with resets. By
// itself the kernel would let it live for a minute. It ends at once, unless
// another path may still come.
func TestLimbo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		accepted bool // that end is looked at
		idle     bool // nothing is outstanding: a keep-alive probe is answered
		silent   bool // there are no resets: the subflow times out
		prepare  func(s *scene, second *mptcptest.Link)
		open     func(t *testing.T, s *scene, second *mptcptest.Link, c, srv net.Conn)
		room     bool
	}{
		{name: "dialed"},
		{name: "dialed, idle", idle: true},
		{name: "dialed, timed out", silent: true, prepare: func(s *scene, _ *mptcptest.Link) {
			s.client.Sysctl("net.ipv4.tcp_retries2", 2)
		}},
		{name: "dialed, endpoint of its own address only", prepare: func(s *scene, _ *mptcptest.Link) {
			s.client.AddEndpoint(s.link.Addr(s.client), mptcptest.Subflow)
		}},
		{name: "dialed, endpoint of the other family", prepare: func(s *scene, second *mptcptest.Link) {
			s.client.AddEndpoint(second.Addr6(s.client), mptcptest.Subflow)
		}},
		{name: "dialed, endpoint that is announced only", prepare: func(s *scene, second *mptcptest.Link) {
			s.client.AddEndpoint(second.Addr(s.client), mptcptest.Signal)
			s.server.SetLimits(2, 0)
		}},
		{name: "dialed, no subflow allowed", prepare: func(s *scene, second *mptcptest.Link) {
			s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
			s.client.SetLimits(0, 0)
		}},
		{name: "dialed, endpoint of another address", room: true, prepare: func(s *scene, second *mptcptest.Link) {
			second.Cut()
			s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
		}},
		{name: "dialed, endpoint of its own address only, had two subflows", room: true, open: func(t *testing.T, s *scene, second *mptcptest.Link, c, srv net.Conn) {
			hadTwo(t, s, second, c, srv)
			s.client.AddEndpoint(s.link.Addr(s.client), mptcptest.Subflow)
		}},
		{name: "accepted", accepted: true},
		{name: "accepted, idle", accepted: true, idle: true},
		{name: "accepted, had two subflows", accepted: true, room: true, open: hadTwo},
		{name: "accepted, had two subflows, none allowed now", accepted: true, open: func(t *testing.T, s *scene, second *mptcptest.Link, c, srv net.Conn) {
			hadTwo(t, s, second, c, srv)
			s.server.SetLimits(0, 0)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A busy machine may be late, never early.
			for try := 1; ; try++ {
				s, second := twoPaths(t)
				if tt.prepare != nil {
					tt.prepare(s, second)
				}
				c, srv := s.ends(0, transport.Require, transport.Require)
				if tt.open != nil {
					tt.open(t, s, second, c, srv)
				}
				if tt.accepted {
					c = srv
				}
				if tt.idle {
					c.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 9})
				}
				fault := mptcptest.ResetAll()
				if tt.silent {
					fault = mptcptest.DropAll()
				}
				s.link.Inject(fault)
				if !tt.idle {
					c.Write([]byte("hello"))
				}
				after := inLimbo(t, c)
				t.Logf("a blocked read failed after %v", after)
				if st, err := mptcp.Inspect(c); st.State != mptcp.Unknown || st.Reason != mptcp.ReasonNoSubflow || err != nil {
					t.Errorf("%v, %v", st, err)
				}
				if tt.room && (after < 9*time.Second || after > 20*time.Second) {
					t.Errorf("a blocked read failed after %v, want 10 s", after)
				}
				if tt.room || after <= time.Second {
					return
				}
				if try == 3 {
					t.Fatalf("a blocked read failed after %v", after)
				}
			}
		})
	}
}

// hadTwo gives the connection a second subflow and takes it away again.
func hadTwo(t *testing.T, s *scene, second *mptcptest.Link, c, srv net.Conn) {
	s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
	subflows(t, c, 2)
	subflows(t, srv, 2)
	time.Sleep(time.Second) // until it was looked at
	s.client.RemoveEndpoint(second.Addr(s.client))
	subflows(t, c, 1)
	subflows(t, srv, 1)
}

// TestLimboSources: whoever dials from several addresses may have another path.
func TestLimboSources(t *testing.T) {
	t.Parallel()
	s, second := twoPaths(t)
	d := s.dialer()
	d.Sources = []netip.Addr{s.link.Addr(s.client), second.Addr(s.client)}
	c, err := d.Dial("tcp", netip.AddrPortFrom(s.link.Addr(s.server), netip.MustParseAddrPort(s.listen(transport.Require, "0")).Port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	s.link.Inject(mptcptest.ResetAll())
	c.Write([]byte("hello"))
	if after := inLimbo(t, c); after < 9*time.Second || after > 20*time.Second {
		t.Errorf("a blocked read failed after %v, want 10 s", after)
	}
}

// TestLimboLeavesRoom: the second path comes up only after the first one has
// gone, while the connection has no subflow, and it goes on.
func TestLimboLeavesRoom(t *testing.T) {
	t.Parallel()
	s, second := twoPaths(t)
	s.client.AddEndpoint(s.link.Addr(s.client), mptcptest.Subflow)
	c, srv := s.ends(0, transport.Require, transport.Require)
	hadTwo(t, s, second, c, srv)
	second.Cut()
	s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
	s.link.Inject(mptcptest.ResetAll())
	c.Write([]byte("hello"))
	srv.Write([]byte("hello"))
	subflows(t, c, 0)
	subflows(t, srv, 0)
	time.Sleep(3 * time.Second)
	second.Restore()
	s.client.RemoveEndpoint(second.Addr(s.client)) // as a path manager that follows interfaces does
	s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
	for _, end := range []net.Conn{c, srv} {
		end.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadFull(end, make([]byte, 5)); err != nil {
			t.Errorf("after the second path came up: %v", err)
		}
	}
}

// TestLimboLeavesRoomForTheFirst: the second path goes while the first one, which
// the connection began with and has lost before, is coming back.
func TestLimboLeavesRoomForTheFirst(t *testing.T) {
	t.Parallel()
	s, second := twoPaths(t)
	c, srv := s.ends(0, transport.Require, transport.Require)
	s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
	subflows(t, c, 2)
	subflows(t, srv, 2)
	time.Sleep(time.Second) // until it was looked at
	restore := s.link.Inject(mptcptest.ResetAll())
	sent := 0
	for one := false; !one; sent++ { // until a segment of each has met the fault
		if sent == 200 {
			t.Fatal("the first subflow is not reset")
		}
		c.Write([]byte("."))
		srv.Write([]byte("."))
		time.Sleep(50 * time.Millisecond)
		one = count(t, c) == 1 && count(t, srv) == 1
	}
	read := func(want string) {
		t.Helper()
		for _, end := range []net.Conn{c, srv} {
			end.SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, len(want))
			if _, err := io.ReadFull(end, b); err != nil || string(b) != want {
				t.Errorf("read %q, %v, want %q", b, err, want)
			}
		}
	}
	read(strings.Repeat(".", sent)) // who has something to read is not in limbo
	s.client.AddEndpoint(s.link.Addr(s.client), mptcptest.Subflow)
	second.Inject(mptcptest.ResetAll())
	s.client.RemoveEndpoint(second.Addr(s.client)) // as a path manager that follows interfaces does
	subflows(t, c, 0)
	time.Sleep(3 * time.Second)
	restore()
	s.client.RemoveEndpoint(s.link.Addr(s.client))
	s.client.AddEndpoint(s.link.Addr(s.client), mptcptest.Subflow)
	for _, end := range []net.Conn{c, srv} {
		end.Write([]byte("ping"))
	}
	read("ping")
}

// TestLimboAfterEnd: the peer has ended its stream, and then lost its state. No
// subflow can join such a connection any more, so nobody waits for one, and
// whoever still writes is told.
func TestLimboAfterEnd(t *testing.T) {
	for _, end := range []string{"dialed", "accepted"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
			c, peer := s.ends(0, transport.Require, transport.Require)
			if end == "accepted" {
				c, peer = peer, c
			}
			peer.(*net.TCPConn).CloseWrite()
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Fatal(err)
			}
			s.link.Inject(mptcptest.ResetAll())
			start := time.Now()
			var err error
			for err == nil && time.Since(start) < 20*time.Second {
				_, err = c.Write([]byte("hello"))
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(start); err == nil || took > 2*time.Second {
				t.Errorf("writes fail after %v: %v", took, err)
			}
		})
	}
}

// TestCleanEnd: a connection whose both ends are finished has no subflow
// either, and what was sent on it is still there to read.
func TestCleanEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	c, srv := s.ends(time.Second, transport.Require, transport.Require)
	srv.Write([]byte("goodbye"))
	srv.Close()
	c.(*net.TCPConn).CloseWrite()
	time.Sleep(3 * time.Second)
	if b, err := io.ReadAll(c); string(b) != "goodbye" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}
