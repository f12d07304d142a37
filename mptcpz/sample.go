package mptcpz

import (
	"cmp"
	"errors"
	"iter"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

const (
	interval = time.Second           // between two samples
	fresh    = interval - interval/5 // a sample this young is good for another viewer
	keep     = 60 * interval         // after the last look, what was sampled is forgotten
	burst    = 40                    // events that one sample tells one by one
	memory   = 200                   // events that are remembered
)

// A row is what a sample knows of each connection, and no more than it needs
// to count, sort and compare: there may be very many.
type row struct {
	c                  *transport.Connection
	id                 uint64
	sent, received     uint64
	sentRate, recvRate float32 // bytes per second
	state              mptcp.State
	reason             mptcp.Reason
	bytesKnown         bool
	subflows           uint8 // zero if the kernel does not tell
}

// A sample is the state of everything at one moment. It does not change, apart
// from remembering what was read for the connections that viewers look at.
type sample struct {
	seq      uint64
	at       time.Time
	since    time.Duration // since the sample before it; zero if there is none
	probe    error
	opened   openings
	rows     []row // by id
	counters mptcp.Counters
	moved    mptcp.Counters // since the sample before it
	countErr error
	events   []event // the newest, oldest first

	mu      sync.Mutex
	details map[uint64]*connection
}

// A sampler takes samples, for all viewers together and only when one asks: it
// has no goroutine.
type sampler struct {
	probe    func() error
	counters func() (mptcp.Counters, error)

	mu     sync.Mutex
	last   *sample
	log    eventLog
	forget *time.Timer
	seq    uint64
}

func newSampler() *sampler {
	return &sampler{probe: mptcp.Probe, counters: mptcp.ReadCounters}
}

// sample returns the state of now, or of less than a second ago.
func (s *sampler) sample() *sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && time.Since(s.last.at) < fresh {
		return s.last
	}
	before := s.last
	s.last = s.take(before)
	s.last.events = s.log.follow(before, s.last)
	if s.forget == nil {
		s.forget = time.AfterFunc(keep, s.expire)
	} else {
		s.forget.Reset(keep)
	}
	return s.last
}

// expire lets go of the last sample. Nobody has looked for a while, and what
// it is compared with next time would be old news.
func (s *sampler) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && time.Since(s.last.at) >= keep {
		s.last, s.forget, s.log = nil, nil, eventLog{n: s.log.n}
	}
}

func (s *sampler) take(before *sample) *sample {
	s.seq++
	now := &sample{seq: s.seq, at: time.Now(), probe: s.probe()}
	now.counters, now.countErr = s.counters()
	now.opened = tallied() // before the rows: see brief
	var old []row
	if before != nil {
		now.since = now.at.Sub(before.at)
		now.moved = now.counters.Sub(before.counters)
		old = before.rows
	}
	now.rows = make([]row, 0, len(old)+len(old)/8+64)
	for c := range transport.Connections() {
		status, err := c.Status()
		if errors.Is(err, net.ErrClosed) {
			continue // since the table was asked
		}
		r := row{c: c, id: c.ID(), state: status.State, reason: status.Reason}
		r.sent, r.received, r.bytesKnown = status.Bytes()
		if n, ok := status.Subflows(); ok {
			r.subflows = uint8(n)
		}
		now.rows = append(now.rows, r)
	}
	slices.SortFunc(now.rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	for o, n := range pairs(old, now.rows) {
		if o != nil && n != nil && o.bytesKnown && n.bytesKnown {
			n.sentRate = rate(o.sent, n.sent, now.since)
			n.recvRate = rate(o.received, n.received, now.since)
		}
	}
	return now
}

func rate(before, now uint64, d time.Duration) float32 {
	if now < before || d <= 0 {
		return 0
	}
	return float32(float64(now-before) / d.Seconds())
}

// pairs iterates over two lists of rows in step. A connection that is in one
// of them only comes with nil for the other.
func pairs(before, now []row) iter.Seq2[*row, *row] {
	return func(yield func(before, now *row) bool) {
		for i, j := 0, 0; i < len(before) || j < len(now); {
			var b, n *row
			switch {
			case j == len(now) || i < len(before) && before[i].id < now[j].id:
				b = &before[i]
				i++
			case i == len(before) || now[j].id < before[i].id:
				n = &now[j]
				j++
			default:
				b, n = &before[i], &now[j]
				i++
				j++
			}
			if !yield(b, n) {
				return
			}
		}
	}
}
