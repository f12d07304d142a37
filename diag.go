package mptcp

import (
	"encoding/binary"

	"github.com/multipath-go/mptcp/internal/mptcpinfo"
)

// What inet_diag (linux/inet_diag.h, linux/mptcp.h) says about a connection
// that has fallen back, and what follows from it. Unlike getsockopt, inet_diag
// still shows the state of the handshake then, and it needs no privilege.

// Bits of MPTCP_SUBFLOW_ATTR_FLAGS (linux/mptcp.h).
const (
	subflowMCapRem  = 1 << 0 // the peer's MP_CAPABLE arrived
	subflowMCapLoc  = 1 << 1 // MP_CAPABLE was sent
	subflowBkupRem  = 1 << 4
	subflowBkupLoc  = 1 << 5
	subflowFullyEst = 1 << 6 // RFC 8684, section 3.1: fully established
)

// evidence is what inet_diag knows of one connection.
type evidence struct {
	inode   uint32
	state   uint8
	flags   uint32 // MPTCP_SUBFLOW_ATTR_FLAGS of the TCP socket
	token   uint32 // MPTCP_SUBFLOW_ATTR_TOKEN_LOC; zero if no MP_CAPABLE was ever made
	hasULP  bool   // flags and token are there
	retrans uint32 // tcpi_total_retrans
	msk     uint32 // mptcp_info.flags of the Multipath TCP socket
	hasMsk  bool
}

// reason tells the classes of fallback apart. Each line was observed with the
// fault that it names; anything else is left unexplained.
func (e evidence) reason() Reason {
	switch {
	case !e.hasULP:
		return ReasonUnknown
	case e.flags&subflowFullyEst != 0:
		return ReasonMidStream
	case e.flags&subflowMCapLoc == 0 && e.token == 0:
		return ReasonHostSuppressed
	case e.flags&subflowMCapLoc == 0 && e.retrans > 0:
		// The kernel gave up and sent a SYN without the option.
		return ReasonSYNDropped
	case e.flags&subflowMCapLoc == 0:
		return ReasonUnknown
	case e.flags&subflowMCapRem != 0, e.hasMsk && e.msk&mptcpinfo.FlagRemoteKeyReceived != 0:
		return ReasonFirstData
	case e.hasMsk && e.msk&mptcpinfo.FlagFallback != 0:
		return ReasonNotAnswered
	}
	return ReasonUnknown
}

// Sizes and attribute types of inet_diag.
const (
	diagMsgSize = 72 // struct inet_diag_msg
	diagInfo    = 2  // INET_DIAG_INFO: struct tcp_info or struct mptcp_info
	diagULPInfo = 19 // INET_DIAG_ULP_INFO, nested
	ulpMPTCP    = 3  // INET_ULP_INFO_MPTCP, nested

	subflowAttrTokenLoc = 2 // MPTCP_SUBFLOW_ATTR_TOKEN_LOC
	subflowAttrFlags    = 8 // MPTCP_SUBFLOW_ATTR_FLAGS

	tcpInfoTotalRetrans = 100 // offset of tcpi_total_retrans
)

// parseTCPDiag decodes the inet_diag_msg of a TCP socket into e.
func (e *evidence) parseTCPDiag(b []byte) bool {
	if !e.parseHead(b) {
		return false
	}
	eachAttr(b[diagMsgSize:], func(typ uint16, v []byte) {
		switch {
		case typ == diagInfo && len(v) >= tcpInfoTotalRetrans+4:
			e.retrans = binary.NativeEndian.Uint32(v[tcpInfoTotalRetrans:])
		case typ == diagULPInfo:
			eachAttr(v, func(typ uint16, v []byte) {
				if typ != ulpMPTCP {
					return
				}
				eachAttr(v, func(typ uint16, v []byte) {
					if len(v) < 4 {
						return
					}
					switch typ {
					case subflowAttrTokenLoc:
						e.token = binary.NativeEndian.Uint32(v)
					case subflowAttrFlags:
						e.flags, e.hasULP = binary.NativeEndian.Uint32(v), true
					}
				})
			})
		}
	})
	return true
}

// parseMPTCPDiag decodes the inet_diag_msg of a Multipath TCP socket into e.
func (e *evidence) parseMPTCPDiag(b []byte) bool {
	if !e.parseHead(b) {
		return false
	}
	eachAttr(b[diagMsgSize:], func(typ uint16, v []byte) {
		if typ != diagInfo {
			return
		}
		if i, ok := mptcpinfo.Parse(v); ok {
			e.msk, e.hasMsk = i.Flags, true
		}
	})
	return true
}

func (e *evidence) parseHead(b []byte) bool {
	if len(b) < diagMsgSize {
		return false
	}
	e.state = b[1]
	e.inode = binary.NativeEndian.Uint32(b[68:])
	return true
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
