package mptcptest

import (
	"errors"
	"sync"
	"time"
)

// TB is what a [Network] needs of a test: a [testing.TB], or something in the
// place of one in a program that is not a test. FailNow semantics are those of
// package testing: Fatalf and Skipf do not return.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
}

// Network is a set of hosts and the links between them. Networks know nothing
// of each other: tests may run in parallel, and all use the same addresses.
type Network struct {
	t     TB
	start time.Time
	core  *namespace // where the middle of every wire is

	mu     sync.Mutex
	hosts  []*Host
	links  []*Link
	setup  []string // what was configured before the drawing was logged
	shown  bool     // it has been
	closed bool
}

// New makes an empty network, which is taken down when the test ends. Main must
// be running the test.
//
// The methods that build a network do not return errors: they end the test.
// Like [testing.T.FailNow] they must then be called from the goroutine of the
// test.
func New(t TB) *Network {
	t.Helper()
	if !inside() {
		if missing != nil {
			t.Skipf("%s", missing)
		}
		t.Fatalf("mptcptest: not in a laboratory: the package needs func TestMain(m *testing.M) { mptcptest.Main(m) }")
	}
	core, err := newNamespace()
	if err != nil {
		t.Fatalf("mptcptest: making a network namespace: %v", err)
	}
	n := &Network{t: t, start: time.Now(), core: core}
	t.Cleanup(n.close)
	return n
}

// Host adds a host that has no link yet. The name is for logs.
func (n *Network) Host(name string) *Host {
	n.t.Helper()
	ns, err := newNamespace()
	if err != nil {
		n.t.Fatalf("mptcptest: making host %s: %v", name, err)
	}
	h := &Host{net: n, name: name, ns: ns}
	n.mu.Lock()
	n.hosts = append(n.hosts, h)
	n.mu.Unlock()
	h.relaxReversePath()
	return h
}

// Router adds a host that forwards packets between its links. The hosts at the
// other ends of them reach each other through it, by as many routers as it
// takes. A host with links to routers has a default route by each of them, and
// prefers that of the first link.
func (n *Network) Router(name string) *Host {
	n.t.Helper()
	h := n.Host(name)
	h.router = true
	h.setSysctl("net.ipv4.ip_forward", "1")
	h.setSysctl("net.ipv6.conf.all.forwarding", "1")
	return h
}

// close takes everything down. What is left open in a host, such as a
// connection, keeps its namespace in the kernel until it is closed, and the end
// of a closed connection that could not be told to its peer for some seconds
// more; but without links.
func (n *Network) close() {
	n.t.Helper()
	n.mu.Lock()
	links, hosts := n.links, n.hosts
	n.mu.Unlock()
	n.logf("end\n%s", n.usage())
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	var errs []error
	for _, l := range links {
		errs = append(errs, l.close())
	}
	for _, h := range hosts {
		errs = append(errs, h.ns.close())
	}
	errs = append(errs, n.core.close())
	if err := errors.Join(errs...); err != nil {
		n.t.Errorf("mptcptest: taking the network down: %v", err)
	}
}
