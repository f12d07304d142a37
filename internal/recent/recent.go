// Package recent shares looks at connections among the reports about them.
//
// To ask the kernel is most of what a report costs, and not only to the one who
// asks: it takes the lock of the socket, and whoever wants to send waits for it.
// With one look in some milliseconds a busy connection carries up to two percent
// more RPCs than with one in each.
package recent

import (
	"net"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// Fresh is how old the status in a report may be.
const Fresh = 20 * time.Millisecond

var epoch = time.Now()

// Now is the time by the monotonic clock alone, which costs half of what
// [time.Now] does.
func Now() time.Duration { return time.Since(epoch) }

// A look is what was seen of a connection, and when.
type look struct {
	at     time.Duration
	status mptcp.Status
}

// AtEnd sets s to what [mptcp.InspectAddrs] returns at the end of what is reported,
// except that it may be what it returned less than [Fresh] ago, if exact is not set.
// What is no confirmed Multipath TCP is looked at each time: it is about to change, or
// costs nothing.
func AtEnd(s *mptcp.Status, local, remote net.Addr, now time.Duration, exact bool) error {
	var keep *conntable.Entry
	if !exact {
		seen, e := find(local, now)
		if seen != nil {
			*s = *seen
			return nil
		}
		keep = e
	}
	return inspect(s, local, remote, now, keep)
}

// inspect looks, and keeps what it sees in e if that is not nil. It is not inlined:
// what it needs of the stack, most reports do not, and the stack of a server's handler
// is new, in no processor's cache.
//
//go:noinline
func inspect(s *mptcp.Status, local, remote net.Addr, now time.Duration, e *conntable.Entry) (err error) {
	*s, err = mptcp.InspectAddrs(local, remote)
	if e != nil && err == nil && s.State == mptcp.Multipath && s.Confirmed {
		e.Recent.Store(&look{now, *s})
	}
	return err
}

// Before is AtEnd before the end, which is left to be looked at anew.
func Before(local net.Addr, now time.Duration) (mptcp.Status, error) {
	if s, _ := find(local, now); s != nil {
		return *s, nil
	}
	return mptcp.InspectAddr(local)
}

// find returns the status if there is a recent one, and where to keep one.
func find(local net.Addr, now time.Duration) (*mptcp.Status, *conntable.Entry) {
	addr, ok := local.(*net.TCPAddr)
	if !ok || addr == nil {
		return nil, nil
	}
	e := conntable.ByLocal(addr)
	if e == nil || e.Final.Load() != 0 || e.Ended.Load() != 0 {
		return nil, nil // not ours, or known to be different now
	}
	if l, ok := e.Recent.Load().(*look); ok && now-l.at < Fresh {
		return &l.status, e
	}
	return nil, e
}
