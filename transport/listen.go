package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// A ListenConfig contains options for listening with Multipath TCP. Its zero
// value is ready to use. A Multipath TCP listener accepts TCP as well, at no
// cost.
type ListenConfig struct {
	// NetListenConfig is the optional configuration to listen with. A nil
	// NetListenConfig is equivalent to the net.ListenConfig zero value. Its
	// own Multipath TCP setting is ignored: Multipath TCP is asked for
	// whatever the go line of the main module and GODEBUG say.
	NetListenConfig *net.ListenConfig

	// Mode says what to do where this host has no Multipath TCP. Prefer, the
	// zero value, listens by TCP, and Listener.Status says so; Require fails.
	// Neither refuses a client that uses TCP.
	Mode Mode

	// UserTimeout is for the accepted connections what Dialer.UserTimeout is
	// for dialed ones.
	UserTimeout time.Duration

	// OnChange is for the accepted connections what Dialer.OnChange is for
	// dialed ones.
	OnChange func(c *Connection, from, to mptcp.Status)

	// QuickHandover is for the accepted connections what Dialer.QuickHandover is
	// for dialed ones.
	QuickHandover bool

	// CongestionControl is for the accepted connections what
	// Dialer.CongestionControl is for dialed ones.
	CongestionControl string
}

func (lc *ListenConfig) care() care {
	return care{userTimeout: lc.UserTimeout, onChange: lc.OnChange, quickHandover: lc.QuickHandover}
}

// Listen announces on the local network address with the zero [ListenConfig].
func Listen(network, address string) (net.Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// Listen announces on the local network address. See [net.ListenConfig.Listen]
// for the form of network and address. For the networks "tcp", "tcp4" and
// "tcp6" the listener is a [*Listener]; on other networks it is what package
// net makes.
//
// A listener on one specific address can be joined by further subflows only at
// that address; one on the wildcard address, such as ":443", at every address
// of the host.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	nlc := net.ListenConfig{}
	if lc.NetListenConfig != nil {
		nlc = *lc.NetListenConfig
	}
	nlc.SetMultipathTCP(false)
	if !isTCP(network) {
		return nlc.Listen(ctx, network, address)
	}
	l := &Listener{care: lc.care(), status: mptcp.Status{State: mptcp.TCP, Reason: mptcp.ReasonNotRequested}}
	if lc.Mode == Off {
		return l.listen(ctx, &nlc, network, address)
	}

	withMultipath := nlc
	withMultipath.Control = func(network, address string, c syscall.RawConn) error {
		cc, refused := useMultipath(c, lc.CongestionControl)
		switch {
		case refused == nil:
			l.status = mptcp.Status{State: mptcp.Multipath}
		case lc.Mode == Require:
			return &fallbackError{reason: hostReason(refused), err: refused}
		default:
			l.status = mptcp.Status{State: mptcp.Fallback, Reason: hostReason(refused)}
		}
		if nlc.Control != nil {
			if err := nlc.Control(network, address, c); err != nil {
				if refused == nil {
					return &controlError{err}
				}
				return err
			}
		}
		if refused == nil && cc != nil && cc.apply(c) {
			l.congestion = cc
		}
		return nil
	}
	ln, err := l.listen(ctx, &withMultipath, network, address)
	if c := (*controlError)(nil); lc.Mode == Prefer && errors.As(err, &c) {
		// The caller's options matter more than Multipath TCP does.
		l.status = mptcp.Status{State: mptcp.Fallback, Reason: controlReason(c.err)}
		return l.listen(ctx, &nlc, network, address)
	}
	return ln, err
}

func (l *Listener) listen(ctx context.Context, lc *net.ListenConfig, network, address string) (net.Listener, error) {
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.ln = ln.(*net.TCPListener)
	return l, nil
}

// A Listener accepts connections by Multipath TCP and by TCP. The connections
// are those of package net, a [*net.TCPConn] each, and are in the table of
// live connections.
type Listener struct {
	ln         *net.TCPListener
	status     mptcp.Status // set once, before the first Accept
	congestion *congestion
	care       care
	draining   atomic.Bool
	ignored    atomic.Uint64
}

var _ interface {
	net.Listener
	syscall.Conn
} = (*Listener)(nil)

// Accept waits for and returns the next connection.
//
// A client can not make it fail. What accept(2) reports of a single connection
// that was lost or forbidden before it was accepted is counted and not
// returned: servers take an error of Accept for the end of the listener. An
// error that concerns the listener or the process, such as a lack of file
// descriptors, is returned as package net returns it.
func (l *Listener) Accept() (net.Conn, error) {
	for failures := 0; ; failures++ {
		c, err := l.ln.AcceptTCP()
		if err == nil && l.draining.Load() {
			reset(c)
			continue
		}
		if err == nil {
			l.accepted(c)
			return c, nil
		}
		var errno syscall.Errno
		if !errors.As(err, &errno) || !perConnection(errno) {
			return nil, err
		}
		l.ignored.Add(1)
		if failures >= 16 {
			// Many clients in a row, or something between us and the kernel
			// that lets nobody through: do not spin.
			time.Sleep(min(time.Millisecond<<min(failures-16, 10), time.Second))
		}
	}
}

// accepted puts c into the table. A client that came by TCP gets the
// congestion control that it would have had from a TCP listener.
func (l *Listener) accepted(c *net.TCPConn) {
	onPlain := plain(mptcp.TCP, mptcp.ReasonNotOffered)
	if l.status.State != mptcp.Multipath {
		onPlain = plain(mptcp.TCP, l.status.Reason)
	}
	e := track(c, conntable.Accepted, onPlain, l, l.care)
	if cc := l.congestion; cc != nil && cc.automatic && e != nil && !isMultipathSocket(e.Raw) {
		cc.restore(c)
	}
}

// Status says whether the listener accepts Multipath TCP: its State is then
// Multipath. If it does not, State is Fallback, or TCP if it was not asked to,
// and Reason says why.
func (l *Listener) Status() mptcp.Status { return l.status }

// CongestionControl returns the congestion control that was set for accepted
// Multipath TCP connections, or "" if they have the host's default.
func (l *Listener) CongestionControl() string {
	if l.congestion == nil {
		return ""
	}
	return l.congestion.set
}

// Ignored returns how many errors of single connections Accept has not
// returned.
func (l *Listener) Ignored() uint64 { return l.ignored.Load() }

// Close stops listening. Connections that were accepted live on, but further
// subflows that need this listener can not join them any more, unless
// [Listener.Drain] was called.
func (l *Listener) Close() error { return l.ln.Close() }

// Addr returns the listener's network address.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// SetDeadline sets the time at which a waiting or later Accept fails. A zero
// time means never.
func (l *Listener) SetDeadline(t time.Time) error { return l.ln.SetDeadline(t) }

// SyscallConn returns the listening socket; see [net.TCPListener.SyscallConn].
func (l *Listener) SyscallConn() (syscall.RawConn, error) { return l.ln.SyscallConn() }

// File returns a copy of the listening socket, to hand it to another process;
// see [net.TCPListener.File].
func (l *Listener) File() (*os.File, error) { return l.ln.File() }
