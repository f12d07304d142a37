package pathmanager_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// TestManagerKeep: one Run leaves everything to the next, and connections do not
// notice.
func TestManagerKeep(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	before := p.state()
	m := &pathmanager.Manager{Config: pathmanager.Config{Mode: pathmanager.Aggregate}, Keep: true}
	stop := p.manage(m)
	c := p.connect(p.wifi.Addr(p.server))
	p.uses(c, "10.1.0.1", "10.2.0.1")
	managed := p.state()
	if err := stop(); err != nil {
		t.Error(err)
	}
	same(t, managed, p.state())
	p.lte.CutAt(p.Host) // while nobody cares
	next := *m
	next.Keep = false
	stop = p.manage(&next)
	p.have("10.1.0.1 subflow fullmesh", "fd00:1::1 subflow fullmesh")
	c.exchange()
	p.lte.Restore()
	p.uses(c, "10.1.0.1", "10.2.0.1")
	if err := stop(); err != nil {
		t.Error(err)
	}
	p.flush()
	if now := p.state(); strings.Contains(now, "proto 130") || strings.Contains(now, "subflow ") ||
		!strings.Contains(now, before[strings.Index(before, "# ip mptcp limits"):strings.Index(before, "# ip rule")]) {
		t.Errorf("before:\n%s\nafter:\n%s", before, now)
	}
}

// TestManagerLeavesNothing: a context that ends at any moment leaves no trace.
func TestManagerLeavesNothing(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	before := p.state()
	stop := p.manage(new(pathmanager.Manager))
	p.have(bothPaths...)
	stop()        // whatever is made once
	checkLeaks(t) // of what follows: the network is there until it has looked
	for i := range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(i)*300*time.Microsecond, cancel)
		var err error
		p.Do(func() { err = (&pathmanager.Manager{Config: pathmanager.Config{Mode: pathmanager.Aggregate}}).Run(ctx) })
		if err != nil {
			t.Errorf("cancelled after %d × 300 µs: %v", i, err)
		}
	}
	same(t, before, p.state())
}

// TestManagerNamespace: a Manager, and a Plan, for a namespace that the process
// is not in.
func TestManagerNamespace(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	before := p.state()
	var ns *os.File
	p.Do(func() {
		var err error
		if ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			t.Fatal(err)
		}
	})
	defer ns.Close()
	plan, err := pathmanager.Config{Mode: pathmanager.Aggregate}.PlanIn(ns)
	if err == nil {
		err = plan.Apply()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.ip("mptcp", "endpoint"), "10.2.0.1") {
		t.Errorf("%v\n%s", plan, p.state())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- (&pathmanager.Manager{NetNS: ns}).Run(ctx)
	}()
	p.have(bothPaths...)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if plan, err = (pathmanager.Config{}).RemovalIn(ns); err != nil || len(plan.Changes) != 0 {
		t.Errorf("%v, %v", plan, err)
	}
	same(t, before, p.state())
}
