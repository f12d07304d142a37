package conntable

import (
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
)

// entriesFor makes n entries whose addresses are kept every so many addresses.
func entriesFor(n, every int) []*Entry {
	addrs := make([]*net.TCPAddr, n*every)
	for i := range addrs {
		addrs[i] = new(net.TCPAddr)
	}
	entries := make([]*Entry, n)
	for i := range entries {
		entries[i] = &Entry{Local: addrs[i*every]}
	}
	return entries
}

// TestLocals adds and removes at random, grows and shrinks, and compares with a map.
func TestLocals(t *testing.T) {
	const n = 3000
	l := newLocals()
	entries := entriesFor(n, 1)
	in := make(map[*net.TCPAddr]*Entry)
	if l.remove(entries[0]); l.find(entries[0].Local) != nil || l.count() != 0 {
		t.Error("found in what is empty")
	}
	random := rand.New(rand.NewPCG(1, 2))
	widest := 0
	for step := range 40 * n {
		e := entries[random.IntN(n)]
		often := 3 // times out of four
		if step/n%8 >= 4 {
			often = 1
		}
		if add := random.IntN(4) < often; add && in[e.Local] == nil {
			l.put(e)
			in[e.Local] = e
		} else if !add { // whether it is in or not
			l.remove(e)
			delete(in, e.Local)
		}
		a := entries[random.IntN(n)].Local
		if found := l.find(a); found != in[a] {
			t.Fatalf("step %d: found %p, want %p", step, found, in[a])
		}
		s := len(*l.slots.Load())
		if widest = max(widest, s); 4*l.used > 3*s || s > fewest && 8*l.live < s {
			t.Fatalf("step %d: %d slots, %d of them used, for %d entries", step, s, l.used, l.live)
		}
	}
	for _, e := range entries {
		if found := l.find(e.Local); found != in[e.Local] {
			t.Errorf("found %p, want %p", found, in[e.Local])
		}
	}
	listed := slices.Collect(l.all())
	if len(listed) != len(in) || l.count() != len(in) || slices.ContainsFunc(listed, func(e *Entry) bool { return in[e.Local] != e }) {
		t.Errorf("%d listed and %d counted of %d", len(listed), l.count(), len(in))
	}
	for e := range l.all() { // and removes what it iterates over
		l.remove(e)
	}
	if s := len(*l.slots.Load()); l.count() != 0 || s != fewest || widest < n {
		t.Errorf("%d entries and %d slots are left, of up to %d", l.count(), s, widest)
	}
}

// TestLocalsStay looks for what stays while others come and go.
func TestLocalsStay(t *testing.T) {
	l := newLocals()
	entries := entriesFor(2000, 1)
	stay, others := entries[:100], entries[100:]
	for _, e := range stay {
		l.put(e)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for half := range slices.Chunk(others, len(others)/2) {
		writers.Go(func() {
			for range 20 {
				for _, e := range half {
					l.put(e)
					if l.find(e.Local) != e {
						t.Error("not found at once")
					}
				}
				for _, e := range half {
					l.remove(e)
					if l.find(e.Local) != nil {
						t.Error("found after it was removed")
					}
				}
			}
		})
	}
	readers.Go(func() {
		for {
			for _, e := range stay {
				if l.find(e.Local) != e {
					t.Error("what stays is not found")
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
}

// Addresses are kept at regular distances, and are not to gather in one place: half
// full, the table is searched as if they were random numbers, 1.5 slots on average for
// what is in it, within what chance does.
func TestLocalsSpread(t *testing.T) {
	const n = 1 << 12
	for _, every := range []int{1, 2, 3, 4, 6, 8} { // of 48 bytes
		s := make(slots, 2*n)
		probes := 0
		for _, e := range entriesFor(n, every) {
			i, _ := s.search(e.Local)
			probes += int(i-s.start(e.Local)) + 1
			s.at(i).Store(e)
		}
		if mean := float64(probes) / n; mean > 1.7 {
			t.Errorf("one address in %d: %.2f slots are looked at", every, mean)
		}
	}
}
