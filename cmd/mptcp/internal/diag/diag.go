// Package diag lists the Multipath TCP sockets of a network namespace, whoever
// has opened them, by inet_diag. It needs Linux and no privilege.
package diag

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
)

// Connection is a Multipath TCP connection or listener.
type Connection struct {
	State         mptcp.TCPState
	Local, Remote netip.AddrPort // of the first subflow
	Inode         uint32         // of the socket, as in /proc/PID/fd; zero: no process has it any more
	UID           uint32
	Info          mptcpinfo.Info
	Fallback      bool
}

// Listening says whether the socket accepts connections.
func (c Connection) Listening() bool { return c.State == stateListen }

// Subflow is a TCP connection that belongs to a Multipath TCP one.
type Subflow struct {
	State         mptcp.TCPState
	Local, Remote netip.AddrPort
	Interface     uint32 // that it is bound to, or zero
	Inode         uint32 // of the connection's socket
	Token         uint32 // of the connection, on this host
	LocalID       uint8  // of the address
	RemoteID      uint8
	Backup        bool

	RTT              time.Duration
	CongestionWindow uint32
	MSS              uint32
	Retransmits      uint32
	BytesAcked       uint64
	BytesReceived    uint64
}

// stateListen is TCP_LISTEN of net/tcp_states.h.
const stateListen = 10

// Sizes and numbers of linux/inet_diag.h and linux/mptcp.h.
const (
	msgSize     = 72 // struct inet_diag_msg
	attrInfo    = 2
	attrULPInfo = 19
	ulpMPTCP    = 3

	subflowTokenLoc = 2
	subflowFlags    = 8
	subflowIDRem    = 9
	subflowIDLoc    = 10

	flagBackupRem = 1 << 4
	flagBackupLoc = 1 << 5

	familyIPv4 = 2
	familyIPv6 = 10
)

// parseHead decodes what all sockets have in common.
func parseHead(b []byte) (state mptcp.TCPState, local, remote netip.AddrPort, ifc, uid, inode uint32, ok bool) {
	if len(b) < msgSize {
		return
	}
	ne := binary.NativeEndian
	addr := func(b []byte, port uint16, family byte) (netip.AddrPort, bool) {
		switch family {
		case familyIPv4:
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), port), true
		case familyIPv6:
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), port), true
		}
		return netip.AddrPort{}, false
	}
	// struct inet_diag_sockid begins at 4: ports, addresses, interface, cookie.
	local, okLocal := addr(b[8:24], binary.BigEndian.Uint16(b[4:]), b[0])
	remote, okRemote := addr(b[24:40], binary.BigEndian.Uint16(b[6:]), b[0])
	return mptcp.TCPState(b[1]), local, remote, ne.Uint32(b[40:]), ne.Uint32(b[64:]), ne.Uint32(b[68:]), okLocal && okRemote
}

func parseConnection(b []byte) (c Connection, ok bool) {
	c.State, c.Local, c.Remote, _, c.UID, c.Inode, ok = parseHead(b)
	if !ok {
		return Connection{}, false
	}
	eachAttr(b[msgSize:], func(typ uint16, v []byte) {
		if typ == attrInfo {
			c.Info, _ = mptcpinfo.Parse(v)
			c.Fallback = c.Info.Flags&mptcpinfo.FlagFallback != 0
		}
	})
	return c, true
}

// parseSubflow decodes a TCP socket. ok is false if it belongs to no Multipath
// TCP connection.
func parseSubflow(b []byte) (s Subflow, ok bool) {
	var head bool
	s.State, s.Local, s.Remote, s.Interface, _, s.Inode, head = parseHead(b)
	if !head {
		return Subflow{}, false
	}
	eachAttr(b[msgSize:], func(typ uint16, v []byte) {
		switch typ {
		case attrInfo:
			s.parseTCPInfo(v)
		case attrULPInfo:
			eachAttr(v, func(typ uint16, v []byte) {
				if typ != ulpMPTCP {
					return
				}
				ok = true
				eachAttr(v, s.parseULP)
			})
		}
	})
	return s, ok && head
}

func (s *Subflow) parseULP(typ uint16, v []byte) {
	switch {
	case typ == subflowTokenLoc && len(v) >= 4:
		s.Token = binary.NativeEndian.Uint32(v)
	case typ == subflowFlags && len(v) >= 4:
		s.Backup = binary.NativeEndian.Uint32(v)&(flagBackupLoc|flagBackupRem) != 0
	case typ == subflowIDRem && len(v) >= 1:
		s.RemoteID = v[0]
	case typ == subflowIDLoc && len(v) >= 1:
		s.LocalID = v[0]
	}
}

// parseTCPInfo decodes the start of a struct tcp_info (linux/tcp.h), however
// much of it the kernel has.
func (s *Subflow) parseTCPInfo(b []byte) {
	u32 := func(off int) uint32 {
		if len(b) < off+4 {
			return 0
		}
		return binary.NativeEndian.Uint32(b[off:])
	}
	u64 := func(off int) uint64 {
		if len(b) < off+8 {
			return 0
		}
		return binary.NativeEndian.Uint64(b[off:])
	}
	s.MSS, s.RTT = u32(16), time.Duration(u32(68))*time.Microsecond
	s.CongestionWindow, s.Retransmits = u32(80), u32(100)
	s.BytesAcked, s.BytesReceived = u64(120), u64(128)
}

// eachAttr calls f for each netlink attribute in b and stops at the first
// malformed one.
func eachAttr(b []byte, f func(typ uint16, value []byte)) {
	const typeMask = 1<<14 - 1 // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&typeMask, b[4:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}
