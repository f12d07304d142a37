package transport

import (
	"slices"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// Multipath TCP sockets have two ways of being dead without saying so. The
// kernel refuses them TCP_USER_TIMEOUT. And when the last subflow is reset or
// times out, the socket lives on for net.mptcp.close_timeout, 60 s, accepting
// writes, in case another subflow joins. A watchdog looks at them from time to
// time and ends those that are dead.
const (
	idleInterval = 400 * time.Millisecond // between looks at a connection with nothing outstanding
	busyInterval = 250 * time.Millisecond // between looks at one with data outstanding

	// share is how much the looks at one connection are apart at least, for
	// each connection that is watched: so all the looks together take less than
	// a hundredth of a processor, however many there are, as long as they rest.
	share = 800 * time.Microsecond

	// precise is the user timeout below which the watchdog looks at TCP
	// connections as well. Linux counts TCP_USER_TIMEOUT from the first
	// retransmission, which comes after one retransmission timeout or two:
	// 0.2 to 0.4 s on a short path, and more on a long one.
	precise = 10 * time.Second

	// firstRetransmission is how long after it was sent TCP usually sends data
	// again for the first time: TCP_RTO_MIN and a tail loss probe before it.
	firstRetransmission = 300 * time.Millisecond
)

// A watch is what the watchdog knows of one connection. Times are since epoch.
type watch struct {
	e           *conntable.Entry
	userTimeout time.Duration
	progress    time.Duration // when nothing was outstanding, or something was acknowledged, last
	limbo       time.Duration // since when there is no subflow; 0: there is
	una         uint64        // what had been acknowledged at the last look that counts for progress
	seen        uint64        // what had been acknowledged at the last look of all
	received    uint64        // and how many bytes had been received
	stalled     bool          // data was outstanding then
	plain       bool          // it uses TCP
	sources     bool          // it was dialed by one who has several local addresses to dial from
	joined      bool          // it has had a second path, or one was announced
	hopeful     bool          // in limbo, and another subflow may still come
}

// A look is what the watchdog sees of a connection.
type look struct {
	gone        bool // closed, or its entry has left the table
	fellBack    bool
	limbo       bool          // no subflow, and nothing left to read
	outstanding bool          // data was written and is not acknowledged
	joined      bool          // there is a second subflow, or an address was announced
	una         uint64        // first byte that is not acknowledged
	received    uint64        // bytes, if the kernel tells
	sentAgo     time.Duration // since data was last sent
	ackedAgo    time.Duration // since an acknowledgement last came
	subflowsMax uint8         // limit of further subflows
	endpoints   uint8         // of the host, from which subflows may be opened
}

// guard sees to it that the connection of e does not outlive its peer. The
// socket option does it for TCP, if not to the tenth of a second; a Multipath
// TCP connection is watched.
func guard(e *conntable.Entry, care care) {
	w := &watch{e: e, userTimeout: care.userTimeout, sources: care.sources, progress: time.Since(epoch)}
	if w.userTimeout > 0 {
		w.userTimeout = max(w.userTimeout, firstRetransmission)
	}
	if isMultipathSocket(e.Raw) || w.leaveToTCP() {
		watchdog.add(w, w.resting(0))
	}
}

// leaveToTCP sets the socket option, and reports whether the connection has to
// be watched all the same.
func (w *watch) leaveToTCP() (watched bool) {
	w.plain = w.userTimeout > 0 && w.userTimeout < precise
	d := w.userTimeout
	if !w.plain {
		d -= min(d/10, firstRetransmission)
	}
	setUserTimeout(w.e.Raw, d)
	return w.plain
}

// next looks at the connection, ends it if it is dead, and returns when to
// look again. ok is false if there is nothing more to watch.
func (w *watch) next(now time.Duration, s *sight) (again time.Duration, ok bool) {
	l := s.look(w)
	w.received, w.seen = l.received, l.una
	rested := !w.stalled && w.una == l.una // nothing was written since the last look
	if !l.outstanding {
		w.progress, w.stalled, w.una = now, false, l.una
	}
	w.joined = w.joined || l.joined
	switch {
	case l.gone:
		return 0, false
	case l.fellBack:
		// Why, it can be asked only while the connection lives.
		_, _ = mptcp.InspectAddr(w.e.Local)
		return w.stirring(busyInterval, s.crowd), w.leaveToTCP()
	case l.limbo:
		if w.limbo == 0 {
			w.limbo, w.hopeful = now, w.mayJoin(l)
		}
		if !w.hopeful || now-w.limbo >= limboGrace || w.silent(now, l) {
			return busyInterval, !w.end(mptcp.ReasonNoSubflow)
		}
		return w.stirring(busyInterval, s.crowd), true
	}
	w.limbo = 0
	switch {
	case !l.outstanding && rested:
		return w.resting(s.crowd), true
	case !l.outstanding:
		return w.stirring(idleInterval, s.crowd), true
	case w.silent(now, l):
		if w.recovering() {
			return busyInterval, true
		}
		return busyInterval, !w.end(mptcp.ReasonUnacknowledged)
	}
	again = w.stirring(busyInterval, s.crowd)
	if w.userTimeout > 0 {
		again = min(again, w.progress+w.userTimeout-now)
	}
	return again, true
}

// silent reports whether the peer has acknowledged nothing for the user
// timeout, and keeps the time since when it has not.
func (w *watch) silent(now time.Duration, l look) bool {
	switch {
	case w.userTimeout <= 0 || !l.outstanding:
		return false
	case !w.stalled:
		// Something was written since the last look: no later than the newest
		// transmission, and no earlier than the newest acknowledgement. Both
		// were long ago if it could not be sent, or is only the end of the
		// stream, which the kernel does not count: it is as old as the look.
		w.stalled, w.una = true, l.una
		w.progress = max(w.progress, now-min(l.sentAgo, l.ackedAgo))
	case w.una != l.una:
		w.una = l.una
		w.progress = max(w.progress, now-l.ackedAgo)
	}
	return now-w.progress >= w.userTimeout
}

// recovering reports whether a subflow makes up for losses without having had
// to wait for a timeout: what comes back acknowledges later data, and what is
// missing is on its way. TCP's own user timeout, which is looked at when the
// retransmission timer fires (tcp_write_timeout), lets that be.
func (w *watch) recovering() bool {
	subflows, err := mptcp.Subflows(w.e.Socket())
	return err == nil && slices.ContainsFunc(subflows, func(s mptcp.Subflow) bool {
		return s.State == mptcp.TCPEstablished && s.Unacked > 0 && s.Timeouts == 0 && s.LastAcked < w.userTimeout
	})
}

// resting returns the time to the next look at a connection on which nothing
// happens, with so many others to look after. What happens meanwhile is dated
// back by the kernel's own times.
func (w *watch) resting(crowd int) time.Duration {
	return max(w.fine(idleInterval), time.Duration(crowd)*share)
}

// stirring returns the time to the next look at a connection on which something
// happens. It is d, or more among many, and always short enough for the user
// timeout to be kept: the kernel does not say when the oldest data was sent that
// is not acknowledged.
func (w *watch) stirring(d time.Duration, crowd int) time.Duration {
	return w.fine(max(d, time.Duration(crowd)*share))
}

// fine shortens the time to the next look for a short user timeout, so that it
// is kept within 10 percent.
func (w *watch) fine(d time.Duration) time.Duration {
	if w.userTimeout > 0 {
		d = max(min(d, w.userTimeout/20), tick)
	}
	return d
}

// end ends the connection under its owner: reads and writes fail from now on,
// those that are blocked included, and the peer is sent a reset. It reports
// whether it did: the owner may have been faster, or the kernel may refuse.
func (w *watch) end(reason mptcp.Reason) bool {
	// First, for a reader that fails and asks why at once.
	w.e.Ended.Store(uint32(reason))
	if err := disconnect(w.e.Raw); err != nil {
		w.e.Ended.Store(0)
		return false
	}
	conntable.CountEnded(w.e.Role, uint8(reason))
	return true
}

var watchdog = newWheel[*watch]()
