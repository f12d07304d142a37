package transport

import (
	"sync"
	"time"
)

// Looks are due in ticks. A wheel has a slot for each of the next ticks: looks
// are no longer apart than that.
const (
	tick  = 50 * time.Millisecond // of a wheel that has no other
	slots = 256
)

// A looker is looked after by a wheel.
type looker interface {
	// next looks, and returns when to look again. ok is false, then and ever
	// after, if there is nothing more to look at.
	next(now time.Duration, s *sight) (again time.Duration, ok bool)
}

// A wheel has one goroutine that runs while there is anything to look at, and
// sleeps until the next look is due.
type wheel[W looker] struct {
	begin func() (end func()) // called when the goroutine begins, if not nil, and when it ends
	tick  time.Duration

	mu      sync.Mutex
	slot    [slots][]W
	n       int             // lookers in the slots, and being looked at
	done    int64           // the last tick that was looked at
	wakeAt  int64           // the tick that the goroutine sleeps until
	running bool            // there is a goroutine
	wake    chan struct{}   // wakes it
	urgent  []W             // to be looked at now as well
	looking []W             // being looked at, out of a slot
	spare   []W             // a slot's array, to be used again
	again   []time.Duration // when to look again at each of a slot
}

func newWheel[W looker]() *wheel[W] { return &wheel[W]{tick: tick, wake: make(chan struct{}, 1)} }

// tickAt is the tick that a time since epoch is in.
func (h *wheel[W]) tickAt(t time.Duration) int64 { return int64(t / h.tick) }

// add has w looked at from now on, for the first time after d.
func (h *wheel[W]) add(w W, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	if !h.running {
		h.running = true
		h.done = h.tickAt(time.Since(epoch))
		h.wakeAt = h.done
		go h.run()
	}
	h.put(w, h.tickAt(time.Since(epoch)), d)
}

// put schedules a look, after d from the tick now.
func (h *wheel[W]) put(w W, now int64, d time.Duration) {
	at := now + min(max(1, h.tickAt(d+h.tick-1)), slots-1)
	h.slot[at%slots] = append(h.slot[at%slots], w)
	if at < h.wakeAt {
		h.wakeAt = at
		h.wakeUp()
	}
}

// hurry has those looked at now, besides when they are due.
func (h *wheel[W]) hurry(ws ...W) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running || len(h.urgent) > h.n {
		return // whoever is left out is looked at when it is due
	}
	h.urgent = append(h.urgent, ws...)
	h.wakeUp()
}

func (h *wheel[W]) wakeUp() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *wheel[W]) run() {
	if h.begin != nil {
		defer h.begin()()
	}
	over := false
	defer func() {
		if !over {
			h.restart()
		}
	}()
	s := newSight()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		h.mu.Lock()
		now := time.Since(epoch)
		urgent := h.urgent
		h.urgent = nil
		h.mu.Unlock()
		for _, w := range urgent {
			w.next(now, s)
		}
		h.mu.Lock()
		h.done = max(h.done, h.tickAt(now)-slots) // once around is enough after a long stop
		for h.done < h.tickAt(now) {
			h.done++
			h.turn(int(h.done%slots), now, s)
		}
		if h.tickAt(time.Since(epoch)) > h.done {
			h.mu.Unlock() // a look has taken its time
			continue
		}
		if h.n == 0 {
			h.running, h.urgent, h.slot, h.spare, h.again = false, nil, [slots][]W{}, nil, nil
			over = true
			h.mu.Unlock()
			return
		}
		h.wakeAt = h.done + 1
		for len(h.slot[h.wakeAt%slots]) == 0 && h.wakeAt < h.done+slots {
			h.wakeAt++
		}
		sleep := time.Duration(h.wakeAt)*h.tick - now
		h.mu.Unlock()
		timer.Reset(sleep)
		select {
		case <-timer.C:
		case <-h.wake:
		}
	}
}

// restart goes on in another goroutine when a look has ended its own, by
// runtime.Goexit: a test may well fail in a function that it was told to call.
func (h *wheel[W]) restart() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.looking {
		h.put(w, h.tickAt(time.Since(epoch)), h.tick)
	}
	h.looking = nil
	go h.run()
}

// turn looks at those of one slot. It is called with the lock held,
// and lets go of it while it looks.
func (h *wheel[W]) turn(i int, now time.Duration, s *sight) {
	due := h.slot[i]
	if len(due) == 0 {
		return
	}
	h.slot[i], h.spare = h.spare[:0], nil
	h.looking = due
	s.crowd = h.n
	h.mu.Unlock()
	kept, again := due[:0], h.again[:0]
	for _, w := range due {
		if d, ok := w.next(now, s); ok {
			kept, again = append(kept, w), append(again, d)
		}
	}
	h.mu.Lock()
	for i, w := range kept {
		h.put(w, h.tickAt(now), again[i])
	}
	h.again, h.looking = again, nil
	h.n -= len(due) - len(kept)
	clear(due)
	h.spare = due
}
