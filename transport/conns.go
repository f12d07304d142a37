package transport

import (
	"iter"
	"net"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// A Role says which end of a connection this process is.
type Role uint8

// The two ends of a connection.
const (
	Dialed   = Role(conntable.Dialed)   // by a [Dialer]
	Accepted = Role(conntable.Accepted) // by a [Listener]
)

// String returns "dialed" or "accepted".
func (r Role) String() string {
	if r == Accepted {
		return "accepted"
	}
	return "dialed"
}

// A DialRecord says how a connection came about.
type DialRecord struct {
	Network, Address string        // as given to the dialer
	Duration         time.Duration // of the whole dial, name resolution included

	// MultipathError is the error of the Multipath TCP attempt if the
	// connection was made by TCP because that attempt failed or was not
	// answered. It is nil if no attempt was made.
	MultipathError error

	// Attempts counts the attempts to connect, by Multipath TCP and by TCP.
	// Each attempt may have tried several addresses.
	MultipathAttempts, TCPAttempts int

	// CongestionControl is the congestion control that the dialer set, or
	// empty if it left the host's default.
	CongestionControl string
}

// A Connection is a live connection that a [Dialer] or a [Listener] of this
// process has opened. It does not keep the connection alive.
type Connection struct {
	e    *conntable.Entry
	last bool
}

// Connections iterates over the connections that are open now, in no order.
// Each is found to be open when the loop reaches it, at the cost of one system
// call; it may be closed at any moment after that.
func Connections() iter.Seq[*Connection] {
	return func(yield func(*Connection) bool) {
		for e := range conntable.All() {
			c := &Connection{e: e}
			if c.Closed() {
				continue // and not collected yet
			}
			if !yield(c) {
				return
			}
		}
	}
}

// Lookup returns the connection whose LocalAddr method returned local, as in
// [mptcp.InspectAddr], or nil. The connection may be closed already.
func Lookup(local net.Addr) *Connection {
	if addr, ok := local.(*net.TCPAddr); ok && addr != nil {
		if e := conntable.ByLocal(addr); e != nil {
			return &Connection{e: e}
		}
	}
	return nil
}

// ID returns a number that no other connection of this process has or will
// have. A later connection has a higher number.
func (c *Connection) ID() uint64 { return c.e.ID }

// Role says which end of the connection this process is.
func (c *Connection) Role() Role { return Role(c.e.Role) }

// Opened returns when the dial or the Accept returned.
func (c *Connection) Opened() time.Time { return c.e.Opened() }

// LocalAddr returns the local address of the first subflow.
func (c *Connection) LocalAddr() net.Addr { return c.e.Local }

// RemoteAddr returns the remote address of the first subflow.
func (c *Connection) RemoteAddr() net.Addr { return c.e.Remote }

// Status reads the connection's status, as [mptcp.Inspect] does.
func (c *Connection) Status() (mptcp.Status, error) {
	s, err := mptcp.InspectAddr(c.e.Local)
	if err == mptcp.ErrUntracked {
		err = net.ErrClosed // and collected since
	}
	return s, err
}

// Subflows reads the connection's subflows, as [mptcp.Subflows] does.
func (c *Connection) Subflows() ([]mptcp.Subflow, error) { return mptcp.Subflows(c.e.Socket()) }

// Closed reports whether the connection is closed, or lost to its owner without
// that. One that the peer has closed, or that is dead, is not closed until its
// owner has closed it as well.
func (c *Connection) Closed() bool {
	return c.e.Gone.Load() || c.e.Raw.Control(func(uintptr) {}) != nil
}

// Last reports, in a call of OnChange, whether it is the last one for this
// connection, which tells its end.
func (c *Connection) Last() bool { return c.last }

// CongestionControl reads the name of the connection's congestion control, that
// of its first subflow, from the socket. It is empty if the system does not
// tell.
func (c *Connection) CongestionControl() string { return readCongestion(c.e.Raw) }

// Dial says how the connection came about. ok is false for an accepted one.
func (c *Connection) Dial() (r DialRecord, ok bool) {
	if d, ok := c.e.Record.(*DialRecord); ok {
		return *d, true
	}
	return DialRecord{}, false
}

// verdictOnPlain is what a status says if the socket proves to be plain TCP.
type verdictOnPlain struct {
	state  mptcp.State
	reason mptcp.Reason
}

func plain(s mptcp.State, r mptcp.Reason) verdictOnPlain { return verdictOnPlain{s, r} }

// care is what is done for a connection as long as it lives.
type care struct {
	userTimeout   time.Duration
	onChange      func(c *Connection, from, to mptcp.Status)
	sources       bool // there are several local addresses to dial from
	quickHandover bool
}

// track puts c into the table and has it cared for. The record is the
// *DialRecord, or the *Listener that accepted c. It returns nil if c has no
// socket any more.
func track(c net.Conn, role conntable.Role, v verdictOnPlain, record any, care care) *conntable.Entry {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	e := &conntable.Entry{Role: role, PlainState: uint8(v.state), PlainReason: uint8(v.reason), Record: record}
	e.Held.Store(care.onChange != nil)
	if e = conntable.Add(tc, e); e == nil {
		return nil
	}
	// The connection may be closed before anybody asks: this is then its last
	// known status.
	s, _ := mptcp.InspectAddr(e.Local)
	conntable.CountOpened(role, uint8(s.State), uint8(s.Reason))
	guard(e, care)
	if care.quickHandover {
		hasten(e)
	}
	if care.onChange != nil {
		observe(e, care.onChange)
	}
	return e
}
