package mptcptest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is one of the two ways through a [Link].
type Direction struct {
	link     *Link
	from, to *Host
	shape    atomic.Pointer[Shape]
	stats    counters
	poke     func() // tells the forwarder that the shape has changed
	overruns func() uint64

	mu    sync.Mutex // of writers of shape and chain
	chain atomic.Pointer[[]*injected]
}

// injected is a fault in force. It has an identity, which a Fault has not.
type injected struct{ fault Fault }

func newDirection(l *Link, i int, both Shape, own *Shape) *Direction {
	d := &Direction{link: l, from: l.ends[i].host, to: l.ends[1-i].host, poke: func() {}, overruns: func() uint64 { return 0 }}
	if own != nil {
		both = *own
	}
	d.shape.Store(&both)
	return d
}

func (d *Direction) currentShape() Shape { return *d.shape.Load() }

func (d *Direction) filters() []*injected {
	if c := d.chain.Load(); c != nil {
		return *c
	}
	return nil
}

// Shape is what the direction does to packets now.
func (d *Direction) Shape() Shape { return d.currentShape() }

// SetShape changes what the direction does to packets, for those that have not
// left the queue.
func (d *Direction) SetShape(s Shape) {
	d.link.net.t.Helper()
	d.wireOnly("SetShape")
	d.reshape(func(old *Shape) { *old = s })
	d.link.net.built("%s: %s to %s now %v", d.link.name, d.from, d.to, s)
}

func (d *Direction) reshape(change func(*Shape)) {
	d.mu.Lock()
	s := d.currentShape()
	change(&s)
	d.shape.Store(&s)
	d.mu.Unlock()
	d.poke()
}

// Inject switches a fault on in this direction, after those that are on. See
// [Link.Inject].
func (d *Direction) Inject(f Fault) (heal func()) {
	d.link.net.t.Helper()
	return d.link.net.injected(fmt.Sprintf("%s: %s to %s", d.link.name, d.from, d.to), f, d.inject(f))
}

func (d *Direction) inject(f Fault) (heal func()) {
	d.wireOnly("Inject")
	i := &injected{f}
	d.change(func(c []*injected) []*injected { return append(c, i) })
	return func() {
		d.change(func(c []*injected) []*injected {
			return slices.DeleteFunc(c, func(other *injected) bool { return other == i })
		})
	}
}

func (d *Direction) change(f func([]*injected) []*injected) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := f(slices.Clone(d.filters()))
	d.chain.Store(&c)
}

func (d *Direction) wireOnly(what string) {
	d.link.net.t.Helper()
	if d.link.kernel {
		d.link.net.t.Fatalf("mptcptest: %s: link %s is a kernel link: it has no forwarder to do that", what, d.link.name)
	}
}

// Stats counts packets, with their bytes from the IP header on.
type Stats struct {
	Packets, Bytes uint64 // that arrived
	Dropped        uint64 // packets that did not: faults, loss, full queues

	// Overruns are packets lost because the forwarder of a wire had no
	// processor for too long. A measurement in which there are any is worth
	// nothing.
	Overruns uint64
}

// Stats counts what the direction has carried.
func (d *Direction) Stats() Stats {
	if d.link.kernel {
		return d.link.end(d.to).received()
	}
	return Stats{d.stats.packets.Load(), d.stats.bytes.Load(), d.stats.lost.Load(), d.overruns()}
}

type counters struct{ packets, bytes, lost atomic.Uint64 }

func (c *counters) passed(n int)  { c.packets.Add(1); c.bytes.Add(uint64(n)) }
func (c *counters) dropped(n int) { c.lost.Add(1) }

// Inject switches a fault on in both directions, while packets may be on their
// way, and returns the function that switches it off. Faults add up: each sees
// what those before it have left.
func (l *Link) Inject(f Fault) (heal func()) {
	l.net.t.Helper()
	return l.net.injected(l.name, f, l.dirs[0].inject(f), l.dirs[1].inject(f))
}

// injected logs a fault, and returns the function that ends and logs it.
func (n *Network) injected(where string, f Fault, undo ...func()) (heal func()) {
	n.t.Helper()
	n.logf("%s: %s", where, f.Name)
	var once atomic.Bool
	return func() {
		n.t.Helper()
		if once.Swap(true) {
			return
		}
		for _, u := range undo {
			u()
		}
		n.logf("%s: no more: %s", where, f.Name)
	}
}

// SetDelay changes the delay of both directions.
func (l *Link) SetDelay(delay time.Duration) {
	l.net.t.Helper()
	l.reshape("SetDelay", func(s *Shape) { s.Delay = delay })
}

// SetRate changes the rate of both directions.
func (l *Link) SetRate(rate Rate) {
	l.net.t.Helper()
	l.reshape("SetRate", func(s *Shape) { s.Rate = rate })
}

func (l *Link) reshape(what string, change func(*Shape)) {
	l.net.t.Helper()
	l.dirs[0].wireOnly(what)
	for _, d := range l.dirs {
		d.reshape(change)
	}
	l.net.built("%s: now %s", l.name, l.describe())
}
