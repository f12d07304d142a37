package pathmanager_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

const patience = 15 * time.Second

// manage runs m on the phone. The function ends it and returns its error.
func (p *phone) manage(m *pathmanager.Manager) (stop func() error) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	ended := make(chan error, 1)
	if m.Logger == nil {
		m.Logger = slog.New(slog.NewTextHandler(timeline{p.lab}, nil))
	}
	go p.Do(func() { ended <- m.Run(ctx) })
	var err error
	stopped := false
	stop = func() error {
		p.t.Helper()
		if !stopped {
			stopped = true
			cancel()
			select {
			case err = <-ended:
			case <-time.After(patience):
				p.t.Error("Run does not end")
			}
		}
		return err
	}
	p.t.Cleanup(func() { stop() })
	return stop
}

type timeline struct{ lab *mptcptest.Network }

func (w timeline) Write(b []byte) (int, error) {
	_, line, _ := strings.Cut(string(b), "msg=")
	w.lab.Log("%s", strings.TrimSpace(line))
	return len(b), nil
}

// eventually fails if something does not come true. What takes long is looked at less
// often: a look may be a process, which is slow in a kernel that QEMU runs.
func (p *phone) eventually(what string, ok func() bool) {
	p.t.Helper()
	for start := time.Now(); !ok(); {
		waited := time.Since(start)
		if waited > patience {
			p.t.Fatalf("not in %v: %s\n%s", patience, what, p.state())
		}
		time.Sleep(min(max(2*time.Millisecond, waited/10), patience-waited))
	}
}

// endpoints lists them as "address flags".
func (p *phone) endpoints() (all []string) {
	p.t.Helper()
	p.Do(func() {
		c, err := pathmanager.Dial()
		if err != nil {
			p.t.Error(err)
			return
		}
		defer c.Close()
		endpoints, err := c.Endpoints()
		if err != nil {
			p.t.Error(err)
		}
		for _, e := range endpoints {
			all = append(all, fmt.Sprint(e.Addr, " ", e.Flags))
		}
	})
	slices.Sort(all)
	return all
}

func (p *phone) have(endpoints ...string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("endpoints %q", endpoints), func() bool { return slices.Equal(p.endpoints(), endpoints) })
}

var bothPaths = []string{"10.1.0.1 subflow", "10.2.0.1 subflow backup", "fd00:1::1 subflow", "fd00:2::1 subflow backup"}

// connect makes a connection to the server that has just been used.
func (p *phone) connect(address netip.Addr) *conn {
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
				for s := bufio.NewScanner(c); s.Scan(); {
					fmt.Fprintln(c, s.Text())
				}
			}()
		}
	}()
	d := p.Dialer()
	d.SetMultipathTCP(true)
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	c, err := d.Dial("tcp", netip.AddrPortFrom(address, port).String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	x := &conn{t: p.t, c: c, r: bufio.NewReader(c)}
	x.exchange()
	return x
}

type conn struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
	n int
}

// exchange sends something there and back, and returns how long it took.
func (c *conn) exchange() time.Duration {
	c.t.Helper()
	start := time.Now()
	c.n++
	c.c.SetDeadline(start.Add(patience))
	fmt.Fprintln(c.c, c.n)
	if line, err := c.r.ReadString('\n'); err != nil || line != fmt.Sprintln(c.n) {
		c.t.Fatalf("exchange %d: %q, %v", c.n, line, err)
	}
	return time.Since(start)
}

// from lists the local addresses of the subflows that are established.
func (c *conn) from() []string {
	var all []string
	subflows, err := mptcp.Subflows(c.c)
	if err != nil {
		c.t.Error(err)
	}
	for _, s := range subflows {
		if s.State == mptcp.TCPEstablished {
			all = append(all, s.Local.Addr().Unmap().String())
		}
	}
	slices.Sort(all)
	return all
}

func (p *phone) uses(c *conn, from ...string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("subflows from %q", from), func() bool { return slices.Equal(c.from(), from) })
}

// TestManagerFollows: paths that go and come, seen by a connection of each
// family.
func TestManagerFollows(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{Delay: 2 * time.Millisecond}, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	before := p.state()
	v4 := p.connect(p.wifi.Addr(p.server))
	stop := p.manage(new(pathmanager.Manager))
	p.have(bothPaths...)
	v6 := p.connect(p.wifi.Addr6(p.server))
	p.uses(v4, "10.1.0.1", "10.2.0.1")
	p.uses(v6, "fd00:1::1", "fd00:2::1")

	lost := time.Now()
	p.wifi.CutAt(p.Host)
	p.have("10.2.0.1 subflow", "fd00:2::1 subflow")
	t.Logf("seen after %v", time.Since(lost))
	p.uses(v4, "10.2.0.1")
	p.uses(v6, "fd00:2::1")
	if d := max(v4.exchange(), v6.exchange()); d > time.Second {
		t.Errorf("an exchange took %v", d)
	}
	p.wifi.Restore()
	p.have(bothPaths...)
	p.uses(v4, "10.1.0.1", "10.2.0.1")
	p.uses(v6, "fd00:1::1", "fd00:2::1")

	p.lte.CutAt(p.Host)
	p.have("10.1.0.1 subflow", "fd00:1::1 subflow")
	p.wifi.CutAt(p.Host) // the last one
	time.Sleep(100 * time.Millisecond)
	p.have("10.1.0.1 subflow", "fd00:1::1 subflow")
	p.lte.Restore()
	p.have("10.2.0.1 subflow", "fd00:2::1 subflow")
	v4.exchange()
	v6.exchange()
	p.wifi.Restore()
	p.have(bothPaths...)
	v4.exchange()
	v6.exchange()

	if err := stop(); err != nil {
		t.Error(err)
	}
	p.flush()
	sorted := func(s string) string {
		lines := strings.Split(s, "\n")
		slices.Sort(lines) // routes that were put back come in another order
		return strings.Join(lines, "\n")
	}
	same(t, sorted(before), sorted(p.state()))
}

// TestManagerNewAddress: an interface gets another address, as by DHCP.
func TestManagerNewAddress(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	stop := p.manage(&pathmanager.Manager{Config: pathmanager.Config{Paths: []string{"10.0.0.0/8"}, Mode: pathmanager.Interactive}})
	p.have("10.1.0.1 subflow", "10.2.0.1 subflow")
	c := p.connect(p.wifi.Addr(p.server))
	p.uses(c, "10.1.0.1", "10.2.0.1")
	for n, dev := range []string{"lte", "wifi", "lte"} {
		link := map[string]*mptcptest.Link{"wifi": p.wifi, "lte": p.lte}[dev]
		old, gateway := link.Addr(p.Host), link.Addr(p.server)
		if n == 2 {
			old = netip.MustParseAddr("10.2.0.77")
		}
		fresh := strings.TrimSuffix(old.String(), ".1") + ".77"
		if n == 2 {
			fresh = "10.2.0.78"
		}
		p.ip("address", "del", old.String()+"/24", "dev", dev)
		time.Sleep(50 * time.Millisecond)
		p.ip("address", "add", fresh+"/24", "dev", dev)
		p.ip("route", "add", "default", "via", gateway.String(), "dev", dev, "metric", map[string]string{"wifi": "101", "lte": "102"}[dev])
		p.eventually("an endpoint for "+fresh, func() bool {
			all := strings.Join(p.endpoints(), ",")
			return strings.Contains(all, fresh) && !strings.Contains(all, old.String()+" ")
		})
		p.eventually("a subflow from "+fresh, func() bool { return slices.Contains(c.from(), fresh) })
		c.exchange()
		if rules := p.ip("rule"); strings.Contains(rules, old.String()+" ") || strings.Count(rules, fresh) != 3 {
			t.Errorf("rules:\n%s", rules)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestManagerRepairs: a subflow that was reset is opened again, though nothing
// has happened to its path.
func TestManagerRepairs(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	p.manage(&pathmanager.Manager{Config: pathmanager.Config{Mode: pathmanager.Interactive}})
	c := p.connect(p.wifi.Addr(p.server))
	p.uses(c, "10.1.0.1", "10.2.0.1")
	for _, link := range []*mptcptest.Link{p.lte, p.wifi} {
		heal := link.Inject(mptcptest.ResetMPTCPSYN())
		p.lab.Log("reset the subflow from %v", link.Addr(p.Host))
		p.output(p.Host, "ss", "-K", "src", link.Addr(p.Host).String())
		p.eventually("the subflow is gone", func() bool { return len(c.from()) == 1 })
		time.Sleep(1500 * time.Millisecond) // the first repair fails
		if from := c.from(); len(from) != 1 {
			t.Errorf("subflows from %v, although they are refused", from)
		}
		heal()
		p.uses(c, "10.1.0.1", "10.2.0.1")
		c.exchange()
	}
}

// TestManagerPutsBack: what somebody removes of what is ours comes back, and
// what he adds stays.
func TestManagerPutsBack(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	stop := p.manage(new(pathmanager.Manager))
	p.have(bothPaths...)
	p.eventually("the rules", func() bool { return strings.Count(p.ip("rule"), "proto 130") == 6 })
	whole := p.state()
	for range 2 {
		p.ip("rule", "flush")
		p.ip("rule", "add", "from", "all", "table", "main", "pref", "32766")
		p.ip("rule", "add", "from", "all", "table", "default", "pref", "32767")
		p.ip("-6", "rule", "del", "pref", "7102")
		p.ip("route", "flush", "table", "7102")
		p.eventually("all is as it was", func() bool {
			return strings.Count(p.ip("rule"), "proto 130") == 6 && strings.Count(p.ip("-6", "rule"), "proto 130") == 6 &&
				strings.Count(p.ip("route", "show", "table", "7102"), "proto 130") == 3
		})
	}
	// Nobody is told of endpoints. With connections, their subflows end.
	c := p.connect(p.wifi.Addr(p.server))
	p.uses(c, "10.1.0.1", "10.2.0.1")
	p.ip("mptcp", "endpoint", "flush")
	p.have(bothPaths...)
	p.uses(c, "10.1.0.1", "10.2.0.1")
	c.c.Close()
	p.ip("mptcp", "endpoint", "flush") // and without
	p.have(bothPaths...)
	if got := p.ip("mptcp", "endpoint"); strings.Count(got, "\n") != strings.Count(whole[:strings.Index(whole, "# ip mptcp limits")], "\n")-1 {
		t.Errorf("endpoints:\n%s", got)
	}
	p.ip("rule", "add", "from", "10.1.0.1", "table", "5000", "pref", "500")
	p.ip("mptcp", "endpoint", "add", "10.9.9.9", "signal")
	time.Sleep(100 * time.Millisecond)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := p.ip("mptcp", "endpoint"); !strings.HasPrefix(got, "10.9.9.9 ") || strings.Count(got, "\n") != 1 {
		t.Errorf("endpoints:\n%s", got)
	}
	if got := p.ip("rule"); !strings.Contains(got, "500:\tfrom 10.1.0.1 lookup 5000") || strings.Contains(got, "proto 130") {
		t.Errorf("rules:\n%s", got)
	}
}
