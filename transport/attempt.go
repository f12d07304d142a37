package transport

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp"
)

// An attempt is one dial of package net's that runs in the background, by
// Multipath TCP or by TCP.
type attempt struct {
	done   chan struct{} // closed when conn and err are there
	sent   chan syn      // told before the first SYN to an address leaves
	cancel context.CancelFunc
	detach func() bool // from the context of the dial: see detachable
	race   *race       // that the attempt was, from another local address

	detached bool // the dial leaves it to somebody else

	mu        sync.Mutex
	conn      net.Conn
	err       error
	abandoned bool

	connecting atomic.Int64  // when the newest connect began, monotonic
	connected  int64         // when the dial ended
	made       atomic.Bool   // a Multipath TCP socket was made
	isTrial    atomic.Bool   // memory asked for a trial
	silenced   atomic.Bool   // given up because nobody answered
	refusal    atomic.Uint32 // Reason why a plain socket was used instead
	control    atomic.Pointer[controlError]
	cc         atomic.Pointer[congestion]
}

// A syn is the first SYN of a Multipath TCP attempt to one address.
type syn struct {
	headStart time.Duration // that it gets
	plain     bool          // it carries no option, for a reason that the attempt knows
}

// epoch makes times of attempts small and monotonic.
var epoch = time.Now()

// begin starts dial. The attempt ends when dial returns, when ctx does, or
// when it is abandoned.
func begin(ctx context.Context, dial func(context.Context, *attempt) (net.Conn, error)) *attempt {
	ctx, cancel, detach := detachable(ctx)
	a := &attempt{done: make(chan struct{}), sent: make(chan syn, 8), cancel: cancel, detach: detach}
	go func() {
		c, err := dial(ctx, a)
		cancel()
		a.mu.Lock()
		if a.connected = int64(time.Since(epoch)); a.abandoned && c != nil {
			c.Close()
			c, err = nil, context.Canceled
		}
		a.conn, a.err = c, err
		a.mu.Unlock()
		close(a.done)
		detach()
	}()
	return a
}

// detachable returns a context that ends when parent does. Once detach has
// returned true, it ends at the deadline of parent and no earlier.
func detachable(parent context.Context) (ctx context.Context, cancel context.CancelFunc, detach func() bool) {
	deadline, bounded := parent.Deadline()
	if ctx = context.WithoutCancel(parent); bounded {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	if parent.Err() != nil {
		cancel()
	}
	return ctx, cancel, context.AfterFunc(parent, func() {
		if !bounded || time.Now().Before(deadline) {
			cancel() // and at its deadline it ends by itself, and says why
		}
	})
}

// sending tells that a SYN is about to leave, if anybody still listens.
func (a *attempt) sending(s syn) {
	select {
	case a.sent <- s:
	default:
	}
}

// leave lets the attempt go on when the dial is over. Whoever calls it sees to
// the end of the attempt. ok is false if the dial has been cancelled, and the
// attempt with it.
func (a *attempt) leave() (ok bool) {
	a.detached = a.detach() || a.ended()
	return a.detached
}

// abandon ends the attempt. A connection that it has made, or is about to
// make, and that nobody has taken is closed.
func (a *attempt) abandon() {
	if a == nil || a.detached {
		return
	}
	a.cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.abandoned = true
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// take hands the connection over. ok is false if there is none.
func (a *attempt) take() (c net.Conn, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, a.conn = a.conn, nil
	return c, c != nil
}

// silence ends an attempt that is not answered. It still reports its end on
// done, or a connection if one was there in the last moment.
func (a *attempt) silence() {
	a.silenced.Store(true)
	a.cancel()
}

// ended reports whether the attempt is over.
func (a *attempt) ended() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// answered reports whether the attempt has led to a connection by now.
func (a *attempt) answered() bool { return a != nil && a.ended() && a.err == nil }

// failure waits for the end of the attempt, if there is one, and returns its
// error.
func (a *attempt) failure() error {
	if a == nil {
		return nil
	}
	<-a.done
	return a.err
}

// silent reports whether a finished attempt was ended by silence.
func (a *attempt) silent() bool { return a.silenced.Load() && a.err != nil }

// tried reports whether a Multipath TCP socket was made. If not, the attempt
// ended before that, as a bad address does, or was made by TCP.
func (a *attempt) tried() bool { return a.made.Load() }

// trial reports whether the attempt is one to a remembered destination, which
// TCP joins at once.
func (a *attempt) trial() bool { return a.isTrial.Load() }

// connectTime returns how long the connect took that ended the attempt, name
// resolution and earlier addresses not included.
func (a *attempt) connectTime() time.Duration {
	return time.Duration(a.connected - a.connecting.Load())
}

// plainReason returns why the attempt used a plain socket, if it did.
func (a *attempt) plainReason() mptcp.Reason { return mptcp.Reason(a.refusal.Load()) }

// verdict says, after TCP has connected, why Multipath TCP had not.
func (a *attempt) verdict() (mptcp.Reason, error) {
	if !a.ended() {
		return mptcp.ReasonSYNDropped, errNoAnswer
	}
	var errno syscall.Errno
	switch {
	case a.err == nil || a.silent() || errors.Is(a.err, context.Canceled):
		return mptcp.ReasonSYNDropped, errNoAnswer
	case a.control.Load() != nil:
		return controlReason(a.err), a.err
	case refused(a.err):
		return mptcp.ReasonSYNReset, a.err
	case errors.As(a.err, &errno) && errno == syscall.ETIMEDOUT:
		return mptcp.ReasonSYNDropped, a.err
	}
	return mptcp.ReasonHostError, a.err
}

// refused reports whether connect failed with err because somebody on the path
// or the peer answered a SYN by a reset or an ICMP error. The numbers that
// arise on this host alone, such as EADDRNOTAVAIL, are not among them.
func refused(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EHOSTUNREACH,
		syscall.ENETUNREACH, syscall.ENOPROTOOPT:
		return true
	}
	return false
}

// dialMultipath begins an attempt by Multipath TCP. Addresses that memory knows
// as bad are dialed by TCP within it; a nil memory knows none.
func (r *race) dialMultipath(ctx context.Context, address string, memory *Memory) *attempt {
	r.multipathAttempts++
	return begin(ctx, func(ctx context.Context, a *attempt) (net.Conn, error) {
		d := r.dialer
		d.ControlContext = r.controlMultipath(a, memory)
		c, err := d.DialContext(ctx, r.network, address)
		if err != nil && a.silenced.Load() {
			err = silenceError(err)
		}
		return c, err
	})
}

// dialTCP begins an attempt by TCP.
func (r *race) dialTCP(ctx context.Context) *attempt {
	r.tcpAttempts++
	return begin(ctx, func(ctx context.Context, a *attempt) (net.Conn, error) {
		d := r.dialer
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			a.connecting.Store(int64(time.Since(epoch)))
			return r.control(ctx, network, address, c)
		}
		return d.DialContext(ctx, r.network, r.address)
	})
}

// control calls the Control function of the caller's dialer, if any.
func (r *race) control(ctx context.Context, network, address string, c syscall.RawConn) error {
	switch {
	case r.dialer.ControlContext != nil:
		return r.dialer.ControlContext(ctx, network, address, c)
	case r.dialer.Control != nil:
		return r.dialer.Control(network, address, c)
	}
	return nil
}

// controlMultipath returns the Control function of an attempt by Multipath
// TCP. Package net has made a TCP socket and is about to connect it: this puts
// a Multipath TCP socket in its place. So all of package net's dial applies to
// it, its errors keep their errno, and package net does not know that it could
// dial a second time by TCP, which it would do even after a deadline.
func (r *race) controlMultipath(a *attempt, memory *Memory) func(context.Context, string, string, syscall.RawConn) error {
	return func(ctx context.Context, network, address string, c syscall.RawConn) error {
		a.connecting.Store(int64(time.Since(epoch)))
		wait := r.headStart
		if r.mode != Require && memory != nil {
			switch memory.consult(address, !r.onePort()) {
			case knownBad:
				a.refusal.Store(uint32(mptcp.ReasonRemembered))
				a.sending(syn{plain: true})
				return r.control(ctx, network, address, c)
			case worthATrial:
				a.isTrial.Store(true)
				wait = 0
			}
		}
		cc, err := useMultipath(c, r.congestion)
		if err != nil {
			reason := hostReason(err)
			if r.mode == Require {
				return &fallbackError{reason: reason, err: err}
			}
			a.refusal.Store(uint32(reason))
			a.sending(syn{plain: true})
			return r.control(ctx, network, address, c)
		}
		a.made.Store(true)
		if err := r.control(ctx, network, address, c); err != nil {
			e := &controlError{err}
			a.control.Store(e)
			return e
		}
		if cc != nil && cc.apply(c) {
			a.cc.Store(cc)
		}
		a.sending(syn{headStart: wait})
		return nil
	}
}

// hostReason returns why this host could not make a Multipath TCP socket.
func hostReason(err error) mptcp.Reason {
	if reason := mptcp.ProbeReason(err); reason != mptcp.ReasonUnknown {
		return reason
	}
	return mptcp.ReasonHostError
}

// controlReason returns why the caller's Control function failed on a Multipath
// TCP socket. If it makes a socket of its own, in another network namespace
// perhaps, the host may have refused that.
func controlReason(err error) mptcp.Reason {
	if reason := mptcp.ProbeReason(err); reason != mptcp.ReasonUnknown {
		return reason
	}
	return mptcp.ReasonControl
}

func (a *attempt) congestion() string {
	if cc := a.cc.Load(); cc != nil {
		return cc.set
	}
	return ""
}

// restoreCongestion gives a connection that has fallen back what it would
// have had without Multipath TCP, and returns what remains of what was set.
func (a *attempt) restoreCongestion(c net.Conn) string {
	if cc := a.cc.Load(); cc != nil && cc.automatic {
		cc.restore(c)
		return ""
	}
	return a.congestion()
}
