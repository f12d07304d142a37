package transport

import (
	"errors"
	"net"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// An observer tells of the changes of one connection. The kernel tells an
// unprivileged process nothing by itself, so it looks: often after a change,
// since one seldom comes alone, and ever more rarely while nothing happens. A
// process that may hear the path manager's events looks when there is one.
type observer struct {
	c     *Connection
	tell  func(c *Connection, from, to mptcp.Status)
	known mptcp.Status  // what was told last
	pause time.Duration // between the last look and the next
	token uint32        // under which it is known to the events
	told  bool          // that it was opened
	ended bool          // and that it has ended
}

const longestPause = 16 * tick

// observers look from a goroutine of their own: a function that takes its time
// must not keep the watchdog.
var observers = func() *wheel[*observer] {
	h := newWheel[*observer]()
	h.begin = func() (end func()) { return hear(h) }
	return h
}()

// observe has tell told of the connection of e. The entry must be held: it
// stays in the table until the end of the connection has been told.
func observe(e *conntable.Entry, tell func(c *Connection, from, to mptcp.Status)) {
	observers.add(&observer{c: &Connection{e: e}, tell: tell}, 0)
}

func (o *observer) next(time.Duration, *sight) (again time.Duration, ok bool) {
	if o.ended {
		return 0, false
	}
	to, err := o.c.Status()
	from := o.known
	switch {
	case errors.Is(err, net.ErrClosed) || o.c.Closed():
		if to.State == from.State && to.Reason == from.Reason && to.Confirmed == from.Confirmed {
			to = from // which has the counters as well
		}
		o.ended = true
		o.know(0)
		defer conntable.Release(o.c.e)
		o.tell(&Connection{e: o.c.e, last: true}, from, to)
		return 0, false
	case !o.told || err == nil && changed(from, to):
		if to.Token != 0 {
			o.know(to.Token)
		}
		o.known, o.pause, o.told = to, tick, true
		o.tell(o.c, from, to)
	default:
		if err == nil {
			o.known = to
		}
		o.pause = min(2*o.pause, longestPause)
	}
	return o.pause, true
}

// changed reports whether OnChange is to be told.
func changed(from, to mptcp.Status) bool {
	m, _ := from.Subflows()
	n, _ := to.Subflows()
	return m != n || from.State != to.State || from.Reason != to.Reason || from.Confirmed != to.Confirmed
}
