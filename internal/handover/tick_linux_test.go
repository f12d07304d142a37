package handover

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// tickSize is the size of a message.
const tickSize = 1 << 10

// body is the n-th message of a direction of a stream, counted from 0. Every
// byte of it depends on n.
func body(n uint64, last bool) []byte {
	b := make([]byte, tickSize)
	binary.BigEndian.PutUint64(b, n)
	for i := 9; i < len(b); i++ {
		b[i] = byte(n) ^ byte(n>>8) ^ byte(i)
	}
	if last {
		b[8] = 1
	}
	return b
}

// A sequence checks one direction of a stream.
type sequence struct {
	next uint64
	last bool // the message that was marked as the last has come
}

func (s *sequence) check(b []byte) error {
	switch {
	case s.last:
		return fmt.Errorf("a message after the last one, %d", s.next-1)
	case len(b) != tickSize:
		return fmt.Errorf("message %d has %d bytes", s.next, len(b))
	}
	s.last = b[8] == 1
	switch n := binary.BigEndian.Uint64(b); {
	case n != s.next:
		return fmt.Errorf("message %d in the place of %d", n, s.next)
	case !bytes.Equal(b, body(n, s.last)):
		return fmt.Errorf("message %d was altered", n)
	}
	s.next++
	return nil
}

// complete says whether the direction has ended as it should.
func (s *sequence) complete() error {
	if !s.last {
		return fmt.Errorf("the stream ended after %d messages without the last one", s.next)
	}
	return nil
}

// send sends ticks until stop, and then the last one. w, if not nil, sees them
// arrive, and is told when they are sent.
func send(every time.Duration, stop <-chan struct{}, w *watch, f func(b []byte) error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := uint64(0); ; n++ {
		last := false
		select {
		case <-stop:
			last = true
		case <-ticker.C:
		}
		if w != nil {
			w.sent()
		}
		if err := f(body(n, last)); err != nil || last {
			return err
		}
	}
}

// A watch sees messages arrive. Streams that follow each other share it.
type watch struct {
	mu       sync.Mutex
	last     time.Time     // when the newest message arrived
	since    time.Time     // gaps that ended before do not count
	longest  time.Duration // between two messages
	ended    time.Time     // when the longest gap ended
	arrivals int

	under []time.Time   // when each was sent that is on its way
	lag   time.Duration // the longest that one of them took
}

// sent is called before a message is sent.
func (w *watch) sent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under = append(w.under, time.Now())
}

func (w *watch) arrived() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.since.IsZero() && !w.last.IsZero() {
		if gap := now.Sub(w.last); gap > w.longest {
			w.longest, w.ended = gap, now
		}
	}
	if len(w.under) > 0 {
		if !w.since.IsZero() {
			w.lag = max(w.lag, now.Sub(w.under[0]))
		}
		w.under = w.under[1:]
	}
	w.last = now
	w.arrivals++
}

// oldest returns the longest that a message took.
func (w *watch) oldest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lag
}

// start makes gaps count from now on.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.longest, w.lag = time.Now(), 0, 0
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrivals
}

// gap is the longest gap since start, that which lasts included.
func (w *watch) gap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.longest, time.Since(w.last))
}

// calm says whether messages have arrived without a gap for a while.
func (w *watch) calm(while time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last) < while/4 && time.Since(w.ended) > while
}
