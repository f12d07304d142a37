package pathmanager

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// EventType says what has happened. The numbers are those of linux/mptcp_pm.h,
// MPTCP_EVENT_….
type EventType uint8

// The types, and what an event of each has besides its Token.
const (
	// EventCreated: a connection begins. Local, Remote, Flags.
	EventCreated EventType = 1
	// EventEstablished: it can have more subflows. Local, Remote, Flags.
	EventEstablished EventType = 2
	// EventClosed: it has ended. Also for one that was never created, because
	// it fell back to TCP in the handshake.
	EventClosed EventType = 3
	// EventAnnounced: the peer has announced an address. Remote, RemoteID.
	EventAnnounced EventType = 6
	// EventRemoved: the peer has taken an address back. RemoteID.
	EventRemoved EventType = 7
	// EventSubflowEstablished: another subflow can carry data. Local, Remote,
	// LocalID, RemoteID, Backup, IfIndex.
	EventSubflowEstablished EventType = 10
	// EventSubflowClosed: a subflow has ended, or could not be established. As
	// established, and Errno and Reset. Linux is silent about some: those that
	// end with the connection, or that this host ends for what the peer did.
	EventSubflowClosed EventType = 11
	// EventSubflowPriority: the peer has made a subflow a backup, or an
	// ordinary one. As established.
	EventSubflowPriority EventType = 13
	// EventListenerCreated: somebody listens for Multipath TCP: a program, or
	// the path manager for an endpoint with a port. Local; no Token.
	EventListenerCreated EventType = 15
	// EventListenerClosed: nobody does any more. Local; no Token.
	EventListenerClosed EventType = 16
)

// String returns the name in the kernel's specification, such as
// "sub-established", or "event-17" for a type that has no name here.
func (t EventType) String() string {
	switch t {
	case EventCreated:
		return "created"
	case EventEstablished:
		return "established"
	case EventClosed:
		return "closed"
	case EventAnnounced:
		return "announced"
	case EventRemoved:
		return "removed"
	case EventSubflowEstablished:
		return "sub-established"
	case EventSubflowClosed:
		return "sub-closed"
	case EventSubflowPriority:
		return "sub-priority"
	case EventListenerCreated:
		return "listener-created"
	case EventListenerClosed:
		return "listener-closed"
	}
	return fmt.Sprintf("event-%d", uint8(t))
}

// MarshalText returns the bytes of String.
func (t EventType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// EventFlags are facts about a new connection, MPTCP_PM_EV_FLAG_… of
// linux/mptcp.h.
type EventFlags uint16

// The flags.
const (
	DenyJoinID0 EventFlags = 1 << iota // no more subflows to the address it began with: the peer says so
	ServerSide                         // this host has accepted it
)

// String lists the flags: "server_side".
func (f EventFlags) String() string {
	return flagList(uint32(f), []string{"deny_join_id0", "server_side"})
}

// MarshalText returns the bytes of String.
func (f EventFlags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Reset is what the peer, or this host, said when it reset a subflow: the
// MP_TCPRST option of RFC 8684, section 3.6.
type Reset struct {
	Reason    ResetReason
	Transient bool // the subflow may be tried again later
}

// ResetReason is the reason code of RFC 8684, section 3.6.
type ResetReason uint32

// The reasons.
const (
	ResetUnspecified ResetReason = iota
	ResetMPTCP                   // an error of Multipath TCP
	ResetResources               // a lack of resources
	ResetProhibited              // administratively prohibited
	ResetOutstanding             // too much outstanding data
	ResetPerformance             // unacceptable performance
	ResetMiddlebox               // a middlebox interferes
)

// String names the reason.
func (r ResetReason) String() string {
	names := [...]string{"unspecified", "mptcp", "resources", "prohibited", "outstanding", "performance", "middlebox"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason-%d", uint32(r))
}

// MarshalText returns the bytes of String.
func (r ResetReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Event is something that has happened to a connection or a listener of the
// network namespace. What its type does not have is zero: see [EventType].
type Event struct {
	Type  EventType
	Token uint32 // of the connection on this host: see mptcp.Status

	// Local and Remote are the ends of the subflow or, of a connection, of its
	// first one. An IPv4 address within IPv6 (netip.Addr.Unmap) belongs to an
	// IPv6 socket, and is to be given as it is to the methods of [Connection].
	Local, Remote     netip.AddrPort
	LocalID, RemoteID uint8 // identifiers of the addresses; zero: those that the connection began with

	Backup  bool          // the peer wants it to carry data only when no other can
	IfIndex int           // interface that the subflow is bound to
	Errno   syscall.Errno // that ended the subflow; zero: none
	Reset   *Reset        // that ended the subflow; nil: none
	Flags   EventFlags
	Timeout uint32 // MPTCP_ATTR_TIMEOUT; no kernel up to 6.18 sends it

	// Unknown is what else the kernel said.
	Unknown []Attribute
}

// String writes the event in one line, addresses in the form in which they are
// used on the wire.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16v", e.Type)
	if e.Token != 0 {
		fmt.Fprintf(&b, " token %08x", e.Token)
	}
	end := func(name string, a netip.AddrPort, id uint8) {
		if a.IsValid() {
			fmt.Fprintf(&b, " %s %v", name, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
		}
		if id != 0 {
			fmt.Fprintf(&b, " %s-id %d", name, id)
		}
	}
	end("local", e.Local, e.LocalID)
	end("remote", e.Remote, e.RemoteID)
	if e.Backup {
		b.WriteString(" backup")
	}
	if e.IfIndex != 0 {
		fmt.Fprintf(&b, " dev if%d", e.IfIndex)
	}
	if e.Flags != 0 {
		fmt.Fprintf(&b, " %v", e.Flags)
	}
	if e.Errno != 0 {
		fmt.Fprintf(&b, " error %q", e.Errno.Error())
	}
	if e.Reset != nil {
		fmt.Fprintf(&b, " reset %v", e.Reset.Reason)
		if e.Reset.Transient {
			b.WriteString(" transient")
		}
	}
	if e.Timeout != 0 {
		fmt.Fprintf(&b, " timeout %d", e.Timeout)
	}
	for _, a := range e.Unknown {
		fmt.Fprintf(&b, " attribute-%d %x", a.number(), a.Data)
	}
	return b.String()
}

// Numbers of enum mptcp_event_attr, linux/mptcp_pm.h.
const (
	eventToken       = 1
	eventFamily      = 2
	eventLocalID     = 3
	eventRemoteID    = 4
	eventLocal4      = 5
	eventLocal6      = 6
	eventRemote4     = 7
	eventRemote6     = 8
	eventLocalPort   = 9
	eventRemotePort  = 10
	eventBackup      = 11
	eventErrno       = 12
	eventFlags       = 13
	eventTimeout     = 14
	eventIfIndex     = 15
	eventResetReason = 16
	eventResetFlags  = 17
	eventServerSide  = 18
)

// decodeEvent decodes the attributes of an event. What it does not understand
// is in Unknown. If b is malformed, the event is what comes before that.
func decodeEvent(typ uint8, b []byte) (Event, error) {
	e := Event{Type: EventType(typ)}
	var local, remote netip.Addr
	var localPort, remotePort uint16
	var failure error
	for a, err := range attributes(b) {
		if err != nil {
			failure = err
			break
		}
		ok := false
		switch a.number() {
		case eventToken:
			ok = a.uint32(&e.Token)
		case eventFamily:
			ok = len(a.Data) == 2 // the addresses say as much
		case eventLocalID:
			ok = a.uint8(&e.LocalID)
		case eventRemoteID:
			ok = a.uint8(&e.RemoteID)
		case eventLocal4:
			ok = a.addr(4, &local)
		case eventLocal6:
			ok = a.addr(16, &local)
		case eventRemote4:
			ok = a.addr(4, &remote)
		case eventRemote6:
			ok = a.addr(16, &remote)
		case eventLocalPort:
			ok = a.port(&localPort)
		case eventRemotePort:
			ok = a.port(&remotePort)
		case eventBackup:
			ok = a.bool(&e.Backup)
		case eventErrno:
			var n uint8
			if ok = a.uint8(&n); ok {
				e.Errno = syscall.Errno(n)
			}
		case eventFlags:
			var f uint16
			ok = a.uint16(&f)
			e.Flags |= EventFlags(f)
		case eventTimeout:
			ok = a.uint32(&e.Timeout)
		case eventIfIndex:
			ok = a.index(&e.IfIndex)
		case eventResetReason:
			var r uint32
			if ok = a.uint32(&r); ok {
				e.reset().Reason = ResetReason(r)
			}
		case eventResetFlags:
			var f uint32
			if ok = a.uint32(&f) && f <= 1; ok {
				e.reset().Transient = f == 1
			}
		case eventServerSide: // what the flag says, for older programs
			var server bool
			if ok = a.bool(&server); server {
				e.Flags |= ServerSide
			}
		}
		if !ok {
			e.Unknown = append(e.Unknown, a.clone())
		}
	}
	e.Local = netip.AddrPortFrom(local, localPort)
	e.Remote = netip.AddrPortFrom(remote, remotePort)
	return e, failure
}

func (e *Event) reset() *Reset {
	if e.Reset == nil {
		e.Reset = new(Reset)
	}
	return e.Reset
}
