package mptcptest

import (
	"math/rand/v2"
	"time"
)

// Shape is what one direction of a link does to packets. The zero Shape passes
// them on at once.
type Shape struct {
	Rate   Rate          // zero: unlimited
	Delay  time.Duration // one way, after the wait for the rate
	Jitter time.Duration // at most this much is added to Delay; packets keep their order
	Loss   float64       // share of packets lost at random, 0 to 1
	Queue  int           // bytes that wait for the rate before packets are lost; zero: 100 ms of it, at least 64 KiB
}

func (s Shape) queue() int {
	if s.Queue > 0 {
		return s.Queue
	}
	return max(s.Rate.bytes(100*time.Millisecond), 64<<10)
}

// shaper is a queue in front of a rate, and behind it a delay line. It works in
// nanoseconds of any clock that does not go back, which the caller reads.
type shaper struct {
	shape   Shape
	random  *rand.Rand
	waiting ring  // for the rate
	bytes   int   // in waiting
	flying  ring  // in the delay line
	left    int64 // when the last packet passes the rate, or passed it
	last    int64 // when the last one in the delay line arrives
}

// frame is a packet in a shaper.
type frame struct {
	b    []byte
	size int   // as counted for the rate
	at   int64 // when it leaves where it is
}

// setShape changes the shape for what has not left the queue yet.
func (s *shaper) setShape(now int64, shape Shape) {
	if s.shape == shape {
		return
	}
	s.shape = shape
	if head := s.waiting.head(); head != nil {
		s.left = now
		head.at = now + int64(shape.Rate.time(head.size))
	}
	s.advance(now)
}

// add takes a packet that arrives now. It says false if the packet is lost.
func (s *shaper) add(now int64, b []byte, size int) bool {
	if s.shape.Loss > 0 && s.random.Float64() < s.shape.Loss {
		return false
	}
	if s.shape.Rate <= 0 && s.waiting.len() == 0 {
		s.fly(frame{b: b, size: size, at: now})
		return true
	}
	if s.bytes+size > s.shape.queue() && s.waiting.len() > 0 {
		return false
	}
	f := frame{b: b, size: size}
	if s.waiting.len() == 0 {
		// The rate may have been idle, or be known to have been only now.
		s.left = max(s.left, now)
		f.at = s.left + int64(s.shape.Rate.time(size))
	}
	s.bytes += size
	s.waiting.push(f)
	return true
}

// advance moves what has passed the rate by now into the delay line.
func (s *shaper) advance(now int64) {
	for {
		head := s.waiting.head()
		if head == nil || head.at > now {
			return
		}
		f := s.waiting.pop()
		s.bytes -= f.size
		s.left = f.at
		s.fly(f)
		if next := s.waiting.head(); next != nil {
			next.at = s.left + int64(s.shape.Rate.time(next.size))
		}
	}
}

func (s *shaper) fly(f frame) {
	f.at += int64(s.shape.Delay)
	if s.shape.Jitter > 0 {
		f.at += s.random.Int64N(int64(s.shape.Jitter))
	}
	f.at = max(f.at, s.last)
	s.last = f.at
	s.flying.push(f)
}

// due returns the next packet that has arrived at the other end by now.
func (s *shaper) due(now int64) ([]byte, bool) {
	if head := s.flying.head(); head == nil || head.at > now {
		return nil, false
	}
	return s.flying.pop().b, true
}

// next is when there is something to do, if ever.
func (s *shaper) next() (at int64, ok bool) {
	if head := s.flying.head(); head != nil {
		at, ok = head.at, true
	}
	if head := s.waiting.head(); head != nil && (!ok || head.at < at) {
		at, ok = head.at, true
	}
	return at, ok
}

// ring is a queue that does not allocate once it is large enough.
type ring struct {
	f     []frame // length a power of two
	first int
	n     int
}

func (r *ring) len() int { return r.n }

func (r *ring) head() *frame {
	if r.n == 0 {
		return nil
	}
	return &r.f[r.first]
}

func (r *ring) push(f frame) {
	if r.n == len(r.f) {
		grown := make([]frame, max(64, 2*r.n))
		for i := range r.n {
			grown[i] = r.f[(r.first+i)&(len(r.f)-1)]
		}
		r.f, r.first = grown, 0
	}
	r.f[(r.first+r.n)&(len(r.f)-1)] = f
	r.n++
}

func (r *ring) pop() frame {
	f := r.f[r.first]
	r.f[r.first].b = nil
	r.first = (r.first + 1) & (len(r.f) - 1)
	r.n--
	return f
}
