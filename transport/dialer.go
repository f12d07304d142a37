package transport

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// DefaultHeadStart is how long a Multipath TCP attempt runs alone before TCP
// joins, if [Dialer.HeadStart] is zero. It is the "Connection Attempt Delay"
// that RFC 8305, section 5, recommends for the same trade.
const DefaultHeadStart = 250 * time.Millisecond

// A Dialer dials TCP connections that use Multipath TCP if they can. Its zero
// value is ready to use. It is safe for concurrent use as long as its fields
// are not changed.
//
// On systems other than Linux it dials TCP.
type Dialer struct {
	// NetDialer is the optional dialer to use. A nil NetDialer is equivalent
	// to the net.Dialer zero value. Name resolution, Happy Eyeballs,
	// timeouts, local addresses, keep-alive and Control are its; its own
	// Multipath TCP setting is ignored.
	NetDialer *net.Dialer

	// Mode says whether TCP is acceptable. Zero is Prefer.
	Mode Mode

	// HeadStart is how long the Multipath TCP attempt runs alone before a TCP
	// attempt joins it. Zero means DefaultHeadStart. If negative, TCP is
	// dialed only after the Multipath TCP attempt has failed, or has not been
	// answered for almost three seconds; so it is if NetDialer has a LocalAddr
	// with a port, which serves one attempt at a time. A trial of Memory has no
	// head start, and none is made from such a port. It has no meaning in Mode
	// Require.
	HeadStart time.Duration

	// UserTimeout ends a connection when data that was written stays
	// unacknowledged this long: a peer or a path that is silently dead, or a
	// peer that reads so little that nothing can be sent to it. Zero
	// means never, apart from what TCP itself does, which takes a quarter of
	// an hour. Linux refuses TCP_USER_TIMEOUT (RFC 5482) on Multipath TCP, and
	// keeps it within some 0.4 s on TCP. So a watchdog looks at Multipath TCP
	// connections, from Linux 5.16 on, and at TCP connections with less than 10
	// s; longer ones have the socket option. All keep it within 10 percent. But
	// a connection at rest is looked at the more rarely the more are watched,
	// every 0.5 ms times their number: with 10,000 in the process, one that begins
	// to write may be found dead up to 5 s late.
	//
	// Reads and writes then fail, and the status of a connection that the
	// watchdog has ended is ReasonUnacknowledged; what it had received and nobody
	// had read is lost. Less than 0.3 s is taken for that, and as long as data
	// needs to get there and back is the least that makes sense. It has no effect
	// on systems other than Linux.
	//
	// A peer that has closed is no dead one: its kernel goes on acknowledging,
	// for up to a minute, what nobody will read, and does not say that it will
	// not be read.
	UserTimeout time.Duration

	// OnChange, if not nil, is called when a connection has been opened, with
	// a zero from; whenever State, Reason, Confirmed or the number of subflows
	// of its status has changed: it fell back in mid-stream, a subflow was
	// lost or gained, the last path is dead; and once more, as the last call for
	// that connection (c.Last), when it is closed or lost to its owner. Then from
	// is the status of the call before, and to is the last that is known of the
	// connection. One that is closed within a twentieth of a second may have that
	// call only. A closed socket answers no more, so a fallback in the last 0.4 s
	// before Close may have gone unseen: then to says what was known before.
	//
	// One goroutine makes the calls for all connections of the process, one
	// after the other and in order for each connection: a function that takes
	// its time keeps the others waiting, and is told all that has changed
	// meanwhile in one call. Changes are seen within a second, mostly much
	// sooner, and subflows at once where this process may listen to the path
	// manager (CAP_NET_ADMIN in its network namespace). Looking costs each
	// connection some four microseconds of processor time a second; without
	// OnChange, nothing. On systems other than Linux only the opening and the end
	// are told.
	OnChange func(c *Connection, from, to mptcp.Status)

	// QuickHandover makes writes wait while one of the subflows in use is silent
	// and another one is not, so that what was lost is sent again sooner: Linux
	// does that only by a subflow that has nothing else in flight. A stream that
	// goes on sending in small messages stands still for 0.3 s then, where it
	// would for 0.8 s. It does nothing where the other subflow is a backup, and
	// concerns only what this end sends: the peer needs it as well.
	//
	// The price is that a write may wait though it need not, until all that was
	// written before has arrived, or 1.5 s: a path that is only slow looks
	// silent after four deviations of its round trip and 50 ms. A write deadline
	// that passes meanwhile is noticed when the wait is over, and Close takes
	// up to 20 ms longer. A connection that has several subflows and data
	// outstanding is looked at 20 times a second, which takes 3 microseconds.
	// It needs Linux 5.16, and has no effect elsewhere.
	QuickHandover bool

	// Sources are local addresses to dial from when the default path does not
	// answer within half a second, or cannot reach the peer: the first subflow
	// of a Multipath TCP connection would otherwise hang on one path, be it
	// dead or not. If empty, the endpoints of the host's path manager from
	// which it opens subflows are tried (ip mptcp endpoint, flag subflow). The
	// host must route packets from these addresses by their own interfaces.
	// Sources have no meaning if NetDialer has a LocalAddr, and in Mode Off, which
	// is package net's dial.
	Sources []netip.Addr

	// Memory holds the destinations that do not answer Multipath TCP. If nil,
	// DefaultMemory serves, for the whole process.
	Memory *Memory

	// CongestionControl names the congestion control of Multipath TCP
	// connections. If empty, the host's default is used unless it is known to
	// collapse with Multipath TCP, as BBR does; then it is "reno", which stands
	// still least of those that Linux has. A connection that falls back while
	// it is being dialed gets the host's default again, and one has it if this
	// process may not use the one that is named here. See
	// [Connection.CongestionControl] for what was chosen.
	CongestionControl string
}

// Dial connects to address like [Dialer.DialContext] with a background context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, which has the form that [net.Dial] takes.
// For the networks "tcp", "tcp4" and "tcp6" the connection is a
// [*net.TCPConn]; other networks are dialed as package net would.
//
// A dial that is answered within the head start costs some ten short system
// calls more than one by package net, and no SYN more. If neither Multipath TCP
// nor TCP connects, the error is a [*net.OpError] that holds the errors of both,
// that of Multipath TCP first. In Mode Require, a connection that could be had
// only without Multipath TCP gives a [*net.OpError] that matches [ErrFallback].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	start := time.Now()
	nd := net.Dialer{}
	if d.NetDialer != nil {
		nd = *d.NetDialer
	}
	nd.SetMultipathTCP(false)
	if !isTCP(network) {
		return nd.DialContext(ctx, network, address)
	}
	// Every attempt shares one deadline, as it would in package net.
	if deadline := earliest(start, nd.Timeout, nd.Deadline); !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
		nd.Timeout, nd.Deadline = 0, time.Time{}
	}
	if d.Mode == Off {
		c, err := nd.DialContext(ctx, network, address)
		if err != nil {
			conntable.CountDial(conntable.DialFailed, time.Since(start), conntable.NoProtocol, 0, 1)
			return nil, err
		}
		conntable.CountDial(uint8(mptcp.TCP), time.Since(start), conntable.TCP, 0, 1)
		track(c, conntable.Dialed, plain(mptcp.TCP, mptcp.ReasonNotRequested), &DialRecord{
			Network: network, Address: address, Duration: time.Since(start), TCPAttempts: 1,
		}, d.care())
		return c, nil
	}
	memory := d.Memory
	if memory == nil {
		memory = &defaultMemory
	}
	if nd.Cancel != nil { //nolint:staticcheck // deprecated, and kept as long as package net keeps it
		// It ends the whole dial. Package net, told of it by each attempt,
		// would end the one and begin the next.
		cancelled := nd.Cancel //nolint:staticcheck // as above
		nd.Cancel = nil        //nolint:staticcheck // as above
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-cancelled:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	r := race{
		dialer: nd, mode: d.Mode, headStart: d.HeadStart, memory: memory, congestion: d.CongestionControl,
		care: d.care(), sources: d.Sources, network: network, address: address, start: start,
	}
	if r.headStart == 0 {
		r.headStart = DefaultHeadStart
	}
	return r.dial(ctx)
}

func (d *Dialer) care() care {
	return care{userTimeout: d.UserTimeout, onChange: d.OnChange, sources: len(d.Sources) > 1, quickHandover: d.QuickHandover}
}

func isTCP(network string) bool {
	return network == "tcp" || network == "tcp4" || network == "tcp6"
}

// earliest returns when a dial that began at start has to end: after timeout,
// or at deadline, each of which is ignored if it is zero.
func earliest(start time.Time, timeout time.Duration, deadline time.Time) time.Time {
	if timeout == 0 {
		return deadline
	}
	if t := start.Add(timeout); deadline.IsZero() || t.Before(deadline) {
		return t
	}
	return deadline
}
