package main

import (
	"context"
	"sync"
	"time"
)

const (
	tickSize  = 1 << 10
	tickEvery = 10 * time.Millisecond
)

// tick sends messages until that fails, or ctx is done.
func tick(ctx context.Context, send func([]byte) error) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	b := make([]byte, tickSize)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if send(b) != nil {
				return
			}
		}
	}
}

// A watch sees messages arrive at one end.
type watch struct {
	mu      sync.Mutex
	n       int
	last    time.Time     // when the newest arrived
	counts  bool          // begin was called
	longest time.Duration // between two messages since then
	ended   time.Time     // when the longest gap did
}

func (w *watch) arrived() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if gap := now.Sub(w.last); w.counts && gap > w.longest {
		w.longest, w.ended = gap, now
	}
	w.last = now
	w.n++
}

// begin makes gaps count from now on, with the one that lasts.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts = true
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

func (w *watch) gap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.longest, time.Since(w.last))
}

// silence is how long ago the newest message arrived.
func (w *watch) silence() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last)
}

// calm says whether messages have arrived without a gap for a while.
func (w *watch) calm(while time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last) < while/4 && time.Since(w.ended) > while
}
