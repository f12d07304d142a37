package pathmanager_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// A journal is what a Manager has logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
	p  *phone
}

func (r *journal) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b.Write(b)
	return timeline{r.p.lab}.Write(b)
}

func (r *journal) count(words string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.b.String(), words)
}

func (r *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// ends lists the local addresses and ports of the subflows that are established.
func (c *conn) ends() (all []netip.AddrPort) {
	c.t.Helper()
	subflows, err := mptcp.Subflows(c.c)
	if err != nil {
		c.t.Error(err)
	}
	for _, s := range subflows {
		if s.State == mptcp.TCPEstablished {
			all = append(all, netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port()))
		}
	}
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}

// reset ends the subflow of c from an address.
func (p *phone) reset(c *conn, from netip.Addr) {
	p.t.Helper()
	for _, a := range c.ends() {
		if a.Addr() == from {
			p.output(p.Host, "ss", "-K", "src", from.String(), "sport", "=", fmt.Sprint(a.Port()))
		}
	}
	p.eventually("the subflow is gone", func() bool { return !slices.Contains(c.from(), from.String()) })
}

// TestManagerSpares: what is done for one connection that has lost a subflow takes
// nothing from others, least of all from one that has no other, and whose peer
// lets nobody join.
func TestManagerSpares(t *testing.T) {
	for _, mode := range []pathmanager.Mode{pathmanager.Interactive, pathmanager.Aggregate} {
		t.Run(mode.String(), func(t *testing.T) {
			away := mptcptest.LinkConfig{Delay: 10 * time.Millisecond} // second subflows are seen before they are established
			p := newPhone(t, away, away)
			r := &journal{p: p}
			p.manage(&pathmanager.Manager{Config: pathmanager.Config{Mode: mode}, Logger: r.logger()})
			p.eventually("the endpoints", func() bool { return len(p.endpoints()) == 4 })
			server := p.wifi.Addr(p.server)
			p.server.SetLimits(8, 0)
			c, other := p.connect(server), p.connect(server)
			p.uses(c, "10.1.0.1", "10.2.0.1")
			p.uses(other, "10.1.0.1", "10.2.0.1")
			for _, x := range []*conn{c, other} { // a server that is told now still refuses them
				subflows, err := mptcp.Subflows(x.c)
				must(t, err)
				for _, s := range subflows {
					settled(t, p.Host, s.Local, s.Remote)
				}
			}
			p.server.SetLimits(0, 0)
			alone := p.connect(server)
			others, only := other.ends(), alone.ends()[0] // a second one may be there until it is refused

			for _, link := range []*mptcptest.Link{p.wifi, p.lte} {
				from := link.Addr(p.Host)
				p.server.SetLimits(0, 0)
				p.lab.Log("reset the subflow from %v", from)
				p.reset(c, from)
				before := r.count("reopen the subflows from " + from.String())
				p.eventually("it is opened again, and refused", func() bool {
					return r.count("reopen the subflows from "+from.String()) >= before+2
				})
				p.eventually("the one that is refused is gone", func() bool { return len(c.from()) == 1 })
				if now := alone.ends(); !slices.Contains(now, only) {
					t.Errorf("a connection with one subflow had %v, and has %v", only, now)
				}
				p.server.SetLimits(8, 0)
				p.uses(c, "10.1.0.1", "10.2.0.1")
				c.exchange()
				other.exchange()
				alone.exchange()
				p.eventually("no others have come or gone", func() bool { return slices.Equal(other.ends(), others) })
			}
		})
	}
}

// TestManagerLeavesAlone: connections that have no business with endpoints are no
// reason to do anything.
func TestManagerLeavesAlone(t *testing.T) {
	p := twoLinks(t)
	r := &journal{p: p}
	p.manage(&pathmanager.Manager{Logger: r.logger()})
	p.have(bothPaths...)
	l := p.Listen("tcp", "127.0.0.1:0") // soon after a change of endpoints
	d := p.Dialer()
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	used := p.connect(p.wifi.Addr(p.server))
	p.uses(used, "10.1.0.1", "10.2.0.1")
	time.Sleep(3 * time.Second) // the first two attempts
	if n := r.count("reopen"); n != 0 {
		t.Errorf("%d attempts to open subflows that there cannot be", n)
	}
}

// TestManagerYields: an endpoint of ours that somebody has replaced by one of his
// own is his from then on, and its address still gets rules.
func TestManagerYields(t *testing.T) {
	p := twoLinks(t)
	r := &journal{p: p}
	stop := p.manage(&pathmanager.Manager{Logger: r.logger()})
	p.have(bothPaths...)
	// The manager may put its own back between the two commands, and then the
	// second fails.
	p.eventually("an endpoint of somebody else's in place of ours", func() bool {
		for line := range strings.Lines(p.ip("mptcp", "endpoint")) {
			if f := strings.Fields(line); f[0] == "10.2.0.1" {
				batch := exec.Command("ip", "-batch", "-")
				batch.Stdin = strings.NewReader("mptcp endpoint delete id " + f[2] + "\nmptcp endpoint add 10.2.0.1 dev lte id 77 subflow fullmesh\n")
				_, err := run(p.Host, batch)
				return err == nil
			}
		}
		return false
	})
	his := []string{"10.1.0.1 subflow", "10.2.0.1 subflow fullmesh", "fd00:1::1 subflow", "fd00:2::1 subflow backup"}
	p.eventually("it is left to him", func() bool {
		return strings.Contains(p.ip("rule"), "7103:\tfrom 10.2.0.1 ") && r.count("is not ours") > 0
	})
	p.have(his...)
	if n := strings.Count(p.ip("rule"), "from 10.2.0.1 "); n != 3 {
		t.Errorf("%d rules:\n%s", n, p.ip("rule"))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := p.ip("mptcp", "endpoint"); !strings.HasPrefix(got, "10.2.0.1 id 77 ") || strings.Count(got, "\n") != 1 {
		t.Errorf("endpoints:\n%s", got)
	}
	if got := p.ip("rule"); strings.Contains(got, "proto 130") {
		t.Errorf("rules:\n%s", got)
	}
}
