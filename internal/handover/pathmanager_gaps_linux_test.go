package handover

import (
	"slices"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// calmGap is the longest gap of a stream of ticks that is left alone, on a machine
// that is not busy.
const calmGap = 40 * time.Millisecond

// TestManagerGaps: a Manager sees that a path goes, by the interface or by the
// silence, and a stream goes on sooner than the kernel alone would have it: that
// takes half a second at least. A busy machine makes it longer: the best of three
// rounds counts, and what stretches the gaps of a stream that is left alone may
// stretch this one as well.
func TestManagerGaps(t *testing.T) {
	const byInterface, bySilence = 250 * time.Millisecond, 400 * time.Millisecond
	n := *repetitions + 2
	for _, c := range []struct {
		name  string
		mode  pathmanager.Mode
		bound time.Duration // of the median
		lose  func(f *fresh) (heal func())
	}{
		{"link down, backup", pathmanager.Handover, byInterface, func(f *fresh) func() { f.wifi.CutAt(f.phone); return f.wifi.Restore }},
		{"link down, active", pathmanager.Interactive, byInterface, func(f *fresh) func() { f.wifi.CutAt(f.phone); return f.wifi.Restore }},
		{"silence, backup", pathmanager.Handover, bySilence, func(f *fresh) func() { return f.wifi.Inject(mptcptest.DropAll()) }},
		{"silence, active", pathmanager.Interactive, bySilence, func(f *fresh) func() { return f.wifi.Inject(mptcptest.DropAll()) }},
		{"silence to client, backup", pathmanager.Handover, bySilence, func(f *fresh) func() { return f.wifi.From(f.server).Inject(mptcptest.DropAll()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFresh(t, mptcptest.LinkConfig{Delay: 10 * time.Millisecond})
			stop := f.manage(pathmanager.Manager{Config: pathmanager.Config{Mode: c.mode}, SilentAfter: silentAfter})
			s := f.tick(func(err error) { t.Error(err) })
			best := longestGap
			for round := 0; round < 3 && best > c.bound; round++ {
				gaps := make([]time.Duration, n) // as they would be on a machine that is not busy
				for i := range gaps {
					gap, before := f.gap(s, func() (heal func()) { return c.lose(f) })
					gaps[i] = time.Duration(float64(gap) * min(1, float64(calmGap)/float64(before)))
					t.Logf("longest gap %v, and %v just before", gap, before)
				}
				slices.Sort(gaps)
				best = min(best, gaps[(n-1)/2])
			}
			if best > c.bound {
				t.Errorf("the median is %v if the machine were not busy, want at most %v", best.Round(time.Millisecond), c.bound)
			}
			s.end(t)
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// gap loses the first path, returns how long the stream stood still, and how long
// it had done so in a while before, and has both paths in use again.
func (f *fresh) gap(s *ticking, lose func() (heal func())) (gap, before time.Duration) {
	f.t.Helper()
	wifi := f.wifi.Addr(f.phone)
	f.eventually("both paths are used", func() bool { return len(s.subflows()) == 2 })
	start := func() {
		s.up.start()
		s.down.start()
	}
	longest := func() time.Duration { return max(s.up.gap(), s.down.gap()).Round(time.Millisecond) }
	start()
	time.Sleep(warmUp)
	before = longest()
	start()
	heal := lose()
	f.eventually("the endpoint is gone", func() bool { return !slices.Contains(f.endpoints(), wifi) })
	time.Sleep(calmFor)
	f.eventually("the stream goes on", func() bool { return s.up.calm(calmFor) && s.down.calm(calmFor) })
	gap = longest()
	heal()
	f.eventually("the endpoint is back", func() bool { return slices.Contains(f.endpoints(), wifi) && len(s.subflows()) == 2 })
	return gap, before
}

// TestManagerElsewhere: a Manager does not judge its paths by a connection of
// this process in another network, be it from the same address.
func TestManagerElsewhere(t *testing.T) {
	here, there := newFresh(t, mptcptest.LinkConfig{Delay: 5 * time.Millisecond}), newFresh(t, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	wifi := here.wifi.Addr(here.phone)
	if other := there.wifi.Addr(there.phone); other != wifi {
		t.Fatalf("%v and %v: the test shows nothing", wifi, other)
	}
	here.manage(pathmanager.Manager{Config: pathmanager.Config{Mode: pathmanager.Interactive}, SilentAfter: 4 * silentAfter})
	there.do(pathmanager.Config{Mode: pathmanager.Interactive}.Plan)
	a, b := here.tick(func(err error) { t.Error(err) }), there.tick(func(err error) { t.Error(err) })
	for _, x := range []struct {
		f *fresh
		s *ticking
	}{{here, a}, {there, b}} {
		x.f.eventually("both paths are used", func() bool { return len(x.s.subflows()) == 2 })
	}
	time.Sleep(warmUp)
	there.wifi.Inject(mptcptest.DropAll())
	for start := time.Now(); time.Since(start) < time.Second; time.Sleep(5 * time.Millisecond) {
		if !slices.Contains(here.endpoints(), wifi) {
			t.Fatal("the endpoint is gone")
		}
	}
	a.end(t)
	b.end(t)
}
