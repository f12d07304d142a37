package faultmatrix

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/multipath-go/mptcp"
)

// see asks for the state of a connection. Once data has been exchanged, a
// connection that is not confirmed is worth a word.
func see(s Stack, c net.Conn, exchanged bool) Seen {
	if c == nil {
		return ""
	}
	if s == Std {
		switch yes, err := c.(*net.TCPConn).MultipathTCP(); {
		case err != nil:
			return "error"
		case yes:
			return "yes"
		}
		return "no"
	}
	st, err := mptcp.Inspect(c)
	switch {
	case errors.Is(err, net.ErrClosed):
		return Seen(st.String()) + ", closed"
	case err != nil:
		return Seen("error: " + err.Error())
	}
	if _, _, told := st.Bytes(); told && exchanged && st.State == mptcp.Multipath && !st.Confirmed {
		return Seen(st.String()) + ", unconfirmed"
	}
	return Seen(st.String())
}

// observer remembers the connections that gRPC was given, and what was seen of
// them at that moment.
type observer struct {
	stack Stack
	mu    sync.Mutex
	ends  []end
}

type end struct {
	conn net.Conn
	seen Seen
}

func (o *observer) add(c net.Conn) {
	seen := see(o.stack, c, false)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = append(o.ends, end{c, seen})
}

// first returns the first connection, or the zero end if there is none.
func (o *observer) first() (e end) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.ends) > 0 {
		e = o.ends[0]
	}
	return e
}

// peerOf returns the other end of c. Behind an address translator it cannot be
// told from the address, and is the first.
func (o *observer) peerOf(c net.Conn) (e end) {
	if c == nil {
		return end{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.ends {
		remote, local := addrPort(e.conn.RemoteAddr()), addrPort(c.LocalAddr())
		if remote == local || remote.Addr() != local.Addr() {
			return e
		}
	}
	return end{}
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// await waits until the other end of c has been observed as well, so that
// nothing is sent before, or a little longer if something has to be.
func (o *observer) await(c net.Conn) {
	for range 400 {
		if o.peerOf(c).conn != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A listener whose connections are observed. They are passed on as they are.
type listener struct {
	net.Listener
	dialer *dialer
	observer
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.add(c)
		l.dialer.await(c)
	}
	return c, err
}

// errNotYet is the error of a dial that has not ended.
var errNotYet = errors.New("the dial goes on")

// A dialer whose first dial is timed and whose connections are observed.
type dialer struct {
	dial     func(ctx context.Context, address string) (net.Conn, error)
	listener *listener
	observer

	start time.Time // of the first dial
	took  time.Duration
	err   error
}

func newDialer(s Stack, l *listener) *dialer {
	d := &dialer{listener: l, observer: observer{stack: s}, err: errNotYet}
	l.dialer = d
	return d
}

func (d *dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	start := time.Now()
	d.mu.Lock()
	first := d.start.IsZero()
	if first {
		d.start = start
	}
	d.mu.Unlock()
	c, err := d.dial(ctx, address)
	if first {
		d.mu.Lock()
		d.took, d.err = time.Since(start), err
		d.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	d.add(c)
	d.listener.await(c)
	return c, nil
}

// firstDial returns how long the first dial took, or has taken so far.
func (d *dialer) firstDial() (time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errors.Is(d.err, errNotYet) && !d.start.IsZero() {
		return time.Since(d.start), d.err
	}
	return d.took, d.err
}
