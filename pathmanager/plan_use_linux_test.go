package pathmanager_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// TestAggregateAnnounce: one plan at a client and one at a server that announces
// its addresses, and a connection uses all pairs of them.
func TestAggregateAnnounce(t *testing.T) {
	const rate = 5 * mptcptest.Mbit
	p := newPhone(t, mptcptest.LinkConfig{Rate: rate, Delay: 5 * time.Millisecond}, mptcptest.LinkConfig{Rate: rate, Delay: 5 * time.Millisecond})
	client, server := p.state(), p.output(p.server, "ip", "mptcp", "endpoint")
	announce := pathmanager.Config{Announce: true, Paths: []string{"10.0.0.0/8"}}
	p.server.Do(func() {
		plan, err := announce.Plan()
		if err == nil {
			err = plan.Apply()
		}
		if err != nil {
			t.Error(err)
		}
	})
	p.apply(p.plan(pathmanager.Config{Mode: pathmanager.Aggregate, Paths: []string{"10.0.0.0/8"}}))
	c := p.upload()
	want := []string{"10.1.0.1 10.1.0.2", "10.1.0.1 10.2.0.2", "10.2.0.1 10.1.0.2", "10.2.0.1 10.2.0.2"}
	pairs := func(least uint64) (all []string) {
		subflows, err := mptcp.Subflows(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subflows {
			if s.State == mptcp.TCPEstablished && s.BytesAcked >= least {
				all = append(all, fmt.Sprint(s.Local.Addr().Unmap(), " ", s.Remote.Addr().Unmap()))
			}
		}
		slices.Sort(all)
		return all
	}
	p.eventually(fmt.Sprintf("subflows between %q", want), func() bool { return slices.Equal(pairs(0), want) })
	p.eventually("data by both links", func() bool {
		return min(p.wifi.From(p.Host).Stats().Bytes, p.lte.From(p.Host).Stats().Bytes) > 2<<20
	})
	t.Logf("with data: %q", pairs(1000))
	if got := pairs(0); !slices.Equal(got, want) {
		t.Errorf("then subflows between %q", got)
	}
	p.undo(pathmanager.Config{})
	p.server.Do(func() {
		plan, err := announce.Removal()
		if err == nil {
			err = plan.Apply()
		}
		if err != nil {
			t.Error(err)
		}
	})
	same(t, client, p.state())
	same(t, server, p.output(p.server, "ip", "mptcp", "endpoint"))
}

// TestAggregateLater: a connection that is there already gets the subflow that it
// lacks, and no second one from the path that it began on.
func TestAggregateLater(t *testing.T) {
	p := twoLinks(t)
	c := p.connect(p.wifi.Addr(p.server))
	p.apply(p.plan(pathmanager.Config{Mode: pathmanager.Aggregate}))
	p.uses(c, "10.1.0.1", "10.2.0.1")
	c.exchange()
	time.Sleep(200 * time.Millisecond)
	if from := c.from(); !slices.Equal(from, []string{"10.1.0.1", "10.2.0.1"}) {
		t.Errorf("subflows from %q", from)
	}
}

// upload sends to the server until the test ends.
func (p *phone) upload() net.Conn {
	p.t.Helper()
	l := p.server.Listen("tcp", ":0")
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	d := p.Dialer()
	d.SetMultipathTCP(true)
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	c, err := d.Dial("tcp", netip.AddrPortFrom(p.wifi.Addr(p.server), port).String())
	if err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := make([]byte, 64<<10); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	p.t.Cleanup(func() {
		c.Close()
		<-ended
	})
	return c
}

// TestInteractive: small requests and answers, by two paths that are both open.
// Of paths that are idle Linux takes the one that a connection began with, so
// that they go by the better one if that is the first, or the first is costly.
func TestInteractive(t *testing.T) {
	const fast, slow = 2 * time.Millisecond, 40 * time.Millisecond
	for _, tt := range []struct {
		name      string
		wifi, lte time.Duration
		costly    []string
		better    string
	}{
		{"the first is better", fast, slow, nil, "10.1.0.1"},
		{"the second is better, and the first costly", slow, fast, []string{"wifi"}, "10.2.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPhone(t, mptcptest.LinkConfig{Delay: tt.wifi}, mptcptest.LinkConfig{Delay: tt.lte})
			p.apply(p.plan(pathmanager.Config{Mode: pathmanager.Interactive, Costly: tt.costly}))
			c := p.connect(p.wifi.Addr(p.server))
			p.uses(c, "10.1.0.1", "10.2.0.1")
			sent := func() map[string]uint64 {
				subflows, err := mptcp.Subflows(c.c)
				if err != nil {
					t.Fatal(err)
				}
				m := make(map[string]uint64)
				for _, s := range subflows {
					m[s.Local.Addr().Unmap().String()] += s.BytesSent
				}
				return m
			}
			for range 20 {
				c.exchange()
			}
			before := sent()
			var times []time.Duration
			for range 200 {
				times = append(times, c.exchange())
			}
			after := sent()
			slices.Sort(times)
			good, all := uint64(0), uint64(0)
			for a := range after {
				n := after[a] - before[a]
				if all += n; a == tt.better {
					good += n
				}
			}
			t.Logf("%d of %d bytes by the better path, median %v, slowest %v", good, all, times[100], times[199])
			if good*10 < all*9 {
				t.Errorf("%d of %d bytes by the better path", good, all)
			}
		})
	}
}
