package mptcp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A TCPState is the state of one subflow's TCP connection, as numbered in
// Linux (net/tcp_states.h).
type TCPState uint8

var tcpStateNames = [...]string{
	1: "established", 2: "syn-sent", 3: "syn-recv", 4: "fin-wait-1", 5: "fin-wait-2", 6: "time-wait",
	7: "close", 8: "close-wait", 9: "last-ack", 10: "listen", 11: "closing", 12: "new-syn-recv",
}

// TCPEstablished is the state of a subflow that can carry data both ways.
const TCPEstablished TCPState = 1

// String returns the name that ss(8) gives to the state, such as "established".
func (s TCPState) String() string {
	if int(s) < len(tcpStateNames) && tcpStateNames[s] != "" {
		return tcpStateNames[s]
	}
	return "unknown"
}

// MarshalText returns the bytes of String.
func (s TCPState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText. A word that this version does
// not know is zero, and no error.
func (s *TCPState) UnmarshalText(text []byte) error {
	*s = TCPState(max(0, slices.Index(tcpStateNames[:], string(text))))
	return nil
}

// A Subflow is one of the TCP connections that carry a connection's bytes, at
// one moment. Counters and times are TCP's own (struct tcp_info, linux/tcp.h)
// and zero where the kernel does not have them.
type Subflow struct {
	// ID is unique within the connection and is not used again; the first
	// subflow is 1. It is zero before Linux 6.5 and for a connection that
	// does not use Multipath TCP.
	ID uint32

	Local, Remote netip.AddrPort
	State         TCPState

	RTT       time.Duration // smoothed
	RTTVar    time.Duration // its mean deviation
	MinRTT    time.Duration // the smallest seen lately
	RTO       time.Duration // retransmission timeout
	LastSent  time.Duration // since data was last sent, in steps of a millisecond
	LastRecv  time.Duration // since data was last received
	LastAcked time.Duration // since an acknowledgement was last received

	CongestionWindow uint32 // in segments of MSS bytes
	MSS              uint32 // bytes of payload in one segment
	Unacked          uint32 // segments in flight
	Lost             uint32 // segments held for lost
	Retransmits      uint32 // segments sent again, in all
	Timeouts         uint8  // retransmission timeouts since the last progress

	BytesSent          uint64 // retransmissions included; Linux 4.19
	BytesRetransmitted uint64 // Linux 4.19
	BytesAcked         uint64
	BytesReceived      uint64
	DeliveryRate       uint64 // bytes per second, the newest estimate
}

// Subflows reads what carries c's bytes: every subflow of a Multipath TCP
// connection, or the one TCP connection of one that does not use it. It costs
// 2 to 5 microseconds and allocates some 5 kB; [Status.Subflows] gives the
// number alone for less.
//
// A subflow whose path is dead stays in the list until TCP gives it up.
// Subflows accepts what [Inspect] accepts and needs Linux 5.16.
func Subflows(c net.Conn) ([]Subflow, error) { return subflows(c) }

// parseTCPInfo fills s from the start of a struct tcp_info, however much of it
// the kernel has.
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
	ms := func(off int) time.Duration { return time.Duration(u32(off)) * time.Millisecond }
	us := func(off int) time.Duration { return time.Duration(u32(off)) * time.Microsecond }
	if len(b) >= 3 {
		s.State, s.Timeouts = TCPState(b[0]), b[2]
	}
	s.RTO, s.MSS = us(8), u32(16)
	s.Unacked, s.Lost = u32(24), u32(32)
	s.LastSent, s.LastRecv, s.LastAcked = ms(44), ms(52), ms(56)
	s.RTT, s.RTTVar, s.MinRTT = us(68), us(72), us(148)
	s.CongestionWindow, s.Retransmits = u32(80), u32(tcpInfoTotalRetrans)
	s.BytesAcked, s.BytesReceived = u64(120), u64(128)
	s.DeliveryRate = u64(160)
	s.BytesSent, s.BytesRetransmitted = u64(200), u64(208)
	if u32(148) == 1<<32-1 {
		s.MinRTT = 0 // not measured yet
	}
}

// parseSockaddr decodes a struct sockaddr_storage. The address families are
// those of Linux.
func parseSockaddr(b []byte) netip.AddrPort {
	const inet, inet6 = 2, 10
	if len(b) < 2 {
		return netip.AddrPort{}
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == inet && len(b) >= 8:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case family == inet6 && len(b) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), binary.BigEndian.Uint16(b[2:]))
	}
	return netip.AddrPort{}
}

const sockaddrStorage = 128 // sizeof(struct sockaddr_storage)

// parseSubflowAddrs decodes a struct mptcp_subflow_addrs.
func (s *Subflow) parseSubflowAddrs(b []byte) {
	if len(b) < 2*sockaddrStorage {
		return
	}
	s.Local, s.Remote = parseSockaddr(b[:sockaddrStorage]), parseSockaddr(b[sockaddrStorage:])
}

// parseSubflowInfo decodes a struct mptcp_subflow_info.
func (s *Subflow) parseSubflowInfo(b []byte) {
	if len(b) < 8 {
		return
	}
	s.ID = binary.NativeEndian.Uint32(b)
	s.parseSubflowAddrs(b[8:])
}
