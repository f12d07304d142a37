package mptcptest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// paths is a phone with two links to a server, and a connection over both.
type paths struct {
	lab           *mptcptest.Network
	phone, server *mptcptest.Host
	wifi, lte     *mptcptest.Link
	conn          net.Conn
}

func newPaths(t *testing.T, c mptcptest.LinkConfig, before func(*paths)) *paths {
	p := &paths{lab: mptcptest.New(t)}
	p.phone, p.server = p.lab.Host("phone"), p.lab.Host("server")
	c.Name = "wifi"
	p.wifi = p.lab.Link(p.phone, p.server, c)
	c.Name = "lte"
	p.lte = p.lab.Link(p.phone, p.server, c)
	p.server.SetLimits(4, 4)
	before(p)
	l := p.server.Listen("tcp", ":0")
	accepted := make(chan net.Conn, 8)
	go echo(l, accepted)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.conn = dial(t, p.phone, net.JoinHostPort(p.wifi.Addr(p.server).String(), port))
	exchange(t, p.conn, "hello")
	return p
}

// joined waits for the second subflow.
func (p *paths) joined(t *testing.T) bool {
	t.Helper()
	return eventually(func() bool { return p.server.Counters()["MPJoinAckRx"] > 0 })
}

func eventually(f func() bool) bool {
	for range 200 {
		if f() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func withEndpoint(p *paths) { p.phone.AddEndpoint(p.lte.Addr(p.phone), mptcptest.Subflow) }

func TestHandover(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(*paths)
	}{
		{"cut", func(p *paths) { p.wifi.Cut() }},
		{"cut at the phone", func(p *paths) { p.wifi.CutAt(p.phone) }},
		{"drop", func(p *paths) { p.wifi.Inject(mptcptest.DropAll()) }},
		{"drop one way", func(p *paths) { p.wifi.From(p.server).Inject(mptcptest.DropAll()) }},
		{"reset", func(p *paths) { p.wifi.Inject(mptcptest.ResetAll()) }},
		{"address gone", func(p *paths) { p.wifi.RemoveAddr(p.phone) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPaths(t, mptcptest.LinkConfig{Delay: 5 * time.Millisecond}, withEndpoint)
			if !p.joined(t) {
				t.Fatal("no second subflow")
			}
			tt.fail(p)
			before := p.lte.From(p.phone).Stats().Bytes
			start := time.Now()
			exchange(t, p.conn, "still there?")
			p.lab.Log("answered after %v", time.Since(start).Round(time.Millisecond))
			if p.lte.From(p.phone).Stats().Bytes == before {
				t.Error("nothing went over lte")
			}
		})
	}
}

func TestBreakBeforeMake(t *testing.T) {
	p := newPaths(t, mptcptest.LinkConfig{}, func(p *paths) { p.lte.Cut() })
	p.wifi.Cut()
	p.lab.Log("no path")
	time.Sleep(300 * time.Millisecond)
	p.lte.Restore()
	withEndpoint(p)
	exchange(t, p.conn, "back again")
}

func TestJoinFaults(t *testing.T) {
	announce := func(p *paths) {
		p.phone.SetLimits(2, 2)
		p.server.AddEndpoint(p.lte.Addr(p.server), mptcptest.Signal)
	}
	for _, tt := range []struct {
		name   string
		before func(*paths)
		joins  bool
	}{
		{"subflow endpoint", withEndpoint, true},
		{"announced", announce, true},
		{"announced, limit zero", func(p *paths) { announce(p); p.phone.SetLimits(2, 0) }, false},
		{"limits zero", func(p *paths) { withEndpoint(p); p.phone.SetLimits(0, 0) }, false},
		{"MP_JOIN dropped", func(p *paths) { withEndpoint(p); p.lte.Inject(mptcptest.DropJoin()) }, false},
		{"ADD_ADDR dropped", func(p *paths) { announce(p); p.wifi.Inject(mptcptest.DropAddAddr()) }, false},
		{"ADD_ADDR mangled", func(p *paths) { announce(p); p.wifi.Inject(mptcptest.MangleAddAddr()) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPaths(t, mptcptest.LinkConfig{}, tt.before)
			exchange(t, p.conn, "hello")
			if tt.joins {
				if !p.joined(t) {
					t.Error("no second subflow")
				}
				return
			}
			time.Sleep(300 * time.Millisecond)
			if n := p.server.Counters()["MPJoinAckRx"]; n != 0 {
				t.Errorf("%d joins", n)
			}
			if got := statusOf(t, p.conn); got != multipath {
				t.Errorf("client %v", got)
			}
		})
	}
}

func TestNAT(t *testing.T) {
	forFamilies(t, func(t *testing.T, v6 bool) {
		p := newPair(t, v6)
		nat := p.link.NAT(p.client)
		c := dial(t, p.client, p.address)
		exchange(t, c, "hello")
		s := <-p.accepted
		want := nat.Addr()
		if v6 {
			want = nat.Addr6()
		}
		if got := s.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); got != want {
			t.Errorf("the server sees %v, want %v", got, want)
		}
		if got := statusOf(t, c); got != multipath {
			t.Errorf("client %v", got)
		}
		tcp, err := p.client.DialContext(context.Background(), "tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		exchange(t, tcp, "hello")
		nat.Rebind()
		tcp.SetDeadline(time.Now().Add(5 * time.Second))
		// The first to use it is told: that may be an acknowledgement that was
		// still to be sent.
		_, sent := io.WriteString(tcp, "who am I?")
		_, received := tcp.Read(make([]byte, 1))
		if !errors.Is(errors.Join(sent, received), syscall.ECONNRESET) {
			t.Errorf("after the rebinding: %v, %v", sent, received)
		}
		nat.Remove()
	})
}

func TestGrow(t *testing.T) {
	p := newPair(t, false)
	c := dial(t, p.client, p.address)
	exchange(t, c, "hello")
	to := netip.MustParseAddrPort(p.address)
	p.link.Inject(mptcptest.GrowPayload([]byte("!"), func(p *mptcptest.Packet) bool { return p.Destination() == to }))
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "hello")
	b := make([]byte, 6)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello!" {
		t.Errorf("read %q, %v", b, err)
	}
	exchange(t, c, "hello")
	if got := statusOf(t, c); got != fallback {
		t.Errorf("client %v", got)
	}
	wantCounters(t, p.server, []string{"DSSCorruptionFallback"})
}
