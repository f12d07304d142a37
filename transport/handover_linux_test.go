package transport

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// twoPaths are a client and a server with two paths between them, both of which
// connections use.
type twoPaths struct {
	t              *testing.T
	client, server *mptcptest.Host
	first, second  *mptcptest.Link
}

func newTwoPaths(t *testing.T) *twoPaths {
	lab := mptcptest.New(t)
	p := &twoPaths{t: t, client: lab.Host("client"), server: lab.Host("server")}
	p.first = lab.Link(p.client, p.server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	p.second = lab.Link(p.client, p.server, mptcptest.LinkConfig{Delay: 20 * time.Millisecond})
	for _, h := range []*mptcptest.Host{p.client, p.server} {
		h.SetLimits(2, 2)
	}
	p.client.AddEndpoint(p.second.Addr(p.client), mptcptest.Subflow)
	return p
}

// connect returns both ends of a connection.
func (p *twoPaths) connect() (c, srv net.Conn) {
	p.t.Helper()
	ln, err := (&ListenConfig{NetListenConfig: p.server.ListenConfig()}).Listen(context.Background(), "tcp", ":0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { ln.Close() })
	d := Dialer{NetDialer: p.client.Dialer(), Mode: Require, Memory: new(Memory)}
	c, err = d.Dial("tcp", netip.AddrPortFrom(p.first.Addr(p.server), netip.MustParseAddrPort(ln.Addr().String()).Port()).String())
	if err != nil {
		p.t.Fatal(err)
	}
	if srv, err = ln.Accept(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close(); srv.Close() })
	return c, srv
}

// TestPathSight: a look sees both subflows and what became of them, and does not
// allocate.
func TestPathSight(t *testing.T) {
	p := newTwoPaths(t)
	c, _ := p.connect()
	e := Lookup(c.LocalAddr()).e
	s := newPathSight()
	until := func(what string, ok func(l pathsLook) bool) {
		t.Helper()
		for start := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			l := s.look(e)
			if ok(l) {
				return
			}
			if time.Since(start) > 20*time.Second {
				t.Fatalf("%s: %+v", what, l)
			}
		}
	}
	write := func() {
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	until("nothing is outstanding", func(l pathsLook) bool { return !l.gone && !l.outstanding })
	until("two paths", func(l pathsLook) bool {
		write()
		return l.outstanding && len(l.paths) == 2 && l.paths[0].established && l.paths[1].established
	})
	write()
	p.first.Inject(mptcptest.DropAll())
	p.second.Inject(mptcptest.DropAll())
	write()
	until("silence", func(l pathsLook) bool {
		longest := time.Duration(0)
		for _, p := range l.paths {
			if p.patience <= delayedAck {
				t.Errorf("%+v", p)
			}
			if p.inFlight {
				longest = max(longest, p.acked)
			}
		}
		return l.una < l.written && longest > 300*time.Millisecond
	})
	h := holder{e: e, vain: true}
	now := time.Hour
	if n := testing.AllocsPerRun(100, func() {
		h.decide(now, s.look(e))
		now += calmLook
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	c.Close()
	if l := s.look(e); !l.gone {
		t.Errorf("closed: %+v", l)
	}
}
