package transport

import (
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// What is lost with a silent subflow is sent again by another one when the
// connection's timer expires and that other one has no data in flight
// (mptcp_subflow_get_retrans in net/mptcp/protocol.c). A program that goes on
// writing keeps it from that state, and nothing of what it writes arrives
// either, since all of it is behind what is missing. A holder keeps the program
// from writing meanwhile. It does so by the write lock that package net has for
// each connection: the socket is left alone.
const (
	holderTick = 10 * time.Millisecond

	// delayedAck is what a peer may wait before it acknowledges data
	// (TCP_DELACK_MIN), and a little more.
	delayedAck = 50 * time.Millisecond

	calmLook    = 50 * time.Millisecond  // between looks at a connection with data outstanding
	holdLook    = 20 * time.Millisecond  // between looks at one that stands still
	longestRest = 600 * time.Millisecond // between looks at one without, or with one subflow only

	// longestHold is more than the kernel takes to give up a subflow: five
	// timeouts of some 200 ms (net.mptcp.stale_loss_cnt).
	longestHold = 1500 * time.Millisecond
)

// A holder watches the subflows of one connection. Times are since epoch.
type holder struct {
	e     *conntable.Entry
	rest  time.Duration           // to the next look if nothing is outstanding
	una   uint64                  // what was acknowledged at the last look
	moved time.Duration           // when that had changed
	n     int                     // subflows at the last look
	since [maxPaths]time.Duration // which of them have had data in flight, at least since then; 0: none
	held  *hold                   // writes wait, or have waited
	vain  bool                    // they have, and this silence goes on nevertheless
}

// A hold makes writes wait, from when the one that is under way has ended.
type hold struct {
	release chan struct{} // closed when they need not wait any more
	over    chan struct{} // closed when they do not
	active  bool          // until release is closed
	target  uint64        // they wait until the connection has acknowledged that
	until   time.Duration // but no longer than that
}

// A pathsLook is what a holder sees of a connection.
type pathsLook struct {
	gone         bool // closed or fallen back, or the kernel does not tell
	outstanding  bool // data was written and is not acknowledged
	written, una uint64
	paths        []path
}

// A path is what a holder sees of a subflow. Times are before the look.
type path struct {
	established bool
	inFlight    bool
	sent, acked time.Duration // since data was sent last, and since the last acknowledgement
	rtt         time.Duration // the shortest lately
	patience    time.Duration // the subflow may take that long to acknowledge
}

// hasten has handovers of the connection of e made quicker.
func hasten(e *conntable.Entry) {
	if isMultipathSocket(e.Raw) {
		holders.add(&holder{e: e, rest: calmLook}, calmLook)
	}
}

var (
	holders = func() *wheel[*holder] {
		h := newWheel[*holder]()
		h.tick = holderTick
		return h
	}()
	paths = newPathSight() // of the one goroutine that they have
)

func (h *holder) next(now time.Duration, _ *sight) (again time.Duration, ok bool) {
	l := paths.look(h.e)
	if l.gone {
		h.let()
		return 0, false
	}
	return h.decide(now, l), true
}

// decide has writes wait, or lets them go on, and returns when to look again.
func (h *holder) decide(now time.Duration, l pathsLook) (again time.Duration) {
	if !l.outstanding || len(l.paths) < 2 {
		h.let()
		h.n, h.vain, h.una, h.moved = 0, false, l.una, now
		h.rest = min(2*h.rest, longestRest)
		return h.rest
	}
	h.rest = calmLook
	if l.una != h.una {
		h.una, h.moved = l.una, now
	}
	silence, again := h.silence(now, l.paths)
	switch held := h.held; {
	case silence == 0:
		h.let()
		h.vain = false
	case held != nil && held.active:
		if int64(l.una-held.target) >= 0 {
			h.let()
		} else if now >= held.until {
			h.let()
			h.vain = true
		}
		again = holdLook
	case !h.vain && h.wouldHelp(now, silence, l.paths):
		h.hold(l.written, now+longestHold)
		again = holdLook
	case h.moved != now:
		again = holdLook // it may be about to stand still
	}
	return again
}

// silence returns for how long the subflow that has been silent the longest has
// not acknowledged what is in flight, 0 if none is silent, and when to look
// again.
func (h *holder) silence(now time.Duration, paths []path) (longest, again time.Duration) {
	if len(paths) != h.n {
		h.n, h.since = len(paths), [maxPaths]time.Duration{}
	}
	again = calmLook
	for i, p := range paths {
		if !p.inFlight {
			h.since[i] = 0
			continue
		}
		if h.since[i] == 0 {
			h.since[i] = now - p.sent
		}
		silence := min(now-h.since[i], p.acked)
		if silence > p.patience {
			longest = max(longest, silence)
		} else {
			again = min(again, p.patience-silence)
		}
	}
	return longest, max(again, holderTick)
}

// wouldHelp reports whether the connection stands still and would not if the
// program waited: there is a subflow that works and that has been given data
// since another one has been silent. A backup has not, and what the kernel waits
// for before it uses that is none of the program's doing.
func (h *holder) wouldHelp(now, silence time.Duration, paths []path) bool {
	for _, p := range paths {
		if p.established && p.sent < silence && p.acked < silence && now-h.moved >= p.rtt {
			return true
		}
	}
	return false
}

func (h *holder) hold(target uint64, until time.Duration) {
	if h.held != nil {
		select {
		case <-h.held.over:
		default:
			return // a write that is under way still is since the last time: it waits by itself
		}
	}
	held := &hold{release: make(chan struct{}), over: make(chan struct{}), active: true, target: target, until: until}
	h.held = held
	raw := h.e.Raw
	go func() {
		defer close(held.over)
		_ = raw.Write(func(uintptr) bool { <-held.release; return true })
	}()
}

// let lets the program write again.
func (h *holder) let() {
	if h.held != nil && h.held.active {
		h.held.active = false
		close(h.held.release)
	}
}
