package pathmanager

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"syscall"
)

// Events hears of everything that happens to the connections and listeners of
// the network namespace, from the call on: what happens before the loop begins
// is kept for it. It needs CAP_NET_ADMIN and Linux 5.12, and occupies a socket
// until the loop or the context ends, whichever is first.
//
//	events, err := c.Events(ctx)
//	if err != nil {
//		return err
//	}
//	for e, err := range events {
//		if lost, ok := errors.AsType[*pathmanager.OverflowError](err); ok {
//			// lost.Lost events are missing: look at the connections anew.
//		} else if err != nil {
//			return err
//		}
//	}
//
// The loop ends without an error when the context ends. An [OverflowError]
// stands where events are missing, and the loop goes on after it. Any other
// error is of a message that could not be understood, after which the loop
// goes on, or the last step. The iterator can be used once.
//
// The kernel keeps events for a slow loop, 16 MB of them or some 20,000. Where
// the program is not privileged in the initial user namespace, that is limited
// by the sysctl net.core.rmem_max, by default to a few hundred.
func (c *Client) Events(ctx context.Context) (iter.Seq2[Event, error], error) {
	events, err := c.events(ctx)
	if err != nil {
		return nil, failed("hearing of events", err)
	}
	return events, nil
}

// OverflowError says that events were lost since they came faster than they
// were read. It matches [syscall.ENOBUFS]. All events that come before it in
// the loop happened before, and all after it are complete until the next
// OverflowError: who then looks at all connections has missed nothing.
type OverflowError struct {
	// Lost is the number of events, zero if the kernel has not yet said.
	Lost uint32
}

// Error says how many events were lost.
func (e *OverflowError) Error() string {
	if e.Lost == 0 {
		return "pathmanager: events were lost: they came faster than they were read"
	}
	return fmt.Sprintf("pathmanager: %d events were lost: they came faster than they were read", e.Lost)
}

// Unwrap returns ENOBUFS.
func (e *OverflowError) Unwrap() error { return syscall.ENOBUFS }

var errMessage = errors.New("malformed netlink message")

// decodeEvents iterates over the events in a datagram: struct nlmsghdr and
// struct genlmsghdr before each. Messages of another family are passed over.
func decodeEvents(family uint16, b []byte) iter.Seq2[Event, error] {
	const nlmsghdr, genlmsghdr = 16, 4
	return func(yield func(Event, error) bool) {
		for len(b) > 0 {
			if len(b) < nlmsghdr {
				yield(Event{}, errMessage)
				return
			}
			n := binary.NativeEndian.Uint32(b)
			if n < nlmsghdr || uint64(n) > uint64(len(b)) {
				yield(Event{}, errMessage)
				return
			}
			if binary.NativeEndian.Uint16(b[4:]) == family && n >= nlmsghdr+genlmsghdr {
				m := b[nlmsghdr:n]
				if !yield(decodeEvent(m[0], m[genlmsghdr:])) {
					return
				}
			}
			b = b[min(int(n+3)&^3, len(b)):]
		}
	}
}
