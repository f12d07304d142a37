package pathmanager

import (
	"encoding/binary"
	"net/netip"
)

// A socket is a subflow as inet_diag shows it.
type socket struct {
	token         uint32 // of the connection
	local, remote netip.AddrPort
	established   bool // or else about to be
	dialed        bool // this host has begun it, by a connection or a further subflow
}

// pair is the two addresses of a subflow.
type pair struct {
	token         uint32
	local, remote netip.Addr
}

func (s socket) pair() pair { return pair{s.token, s.local.Addr(), s.remote.Addr()} }

// Sizes and numbers of linux/inet_diag.h and linux/mptcp.h.
const (
	idSize      = 48 // struct inet_diag_sockid
	diagMsgSize = 72 // struct inet_diag_msg

	stateEstablished = 1 // BPF_TCP_ESTABLISHED

	diagInfo    = 2
	diagULPInfo = 19
	ulpMPTCP    = 3

	ulpToken = 2 // MPTCP_SUBFLOW_ATTR_TOKEN_LOC
	ulpFlags = 8

	flagCapable = 1 << 1 // MPTCP_SUBFLOW_FLAG_MCAP_LOC
	flagJoin    = 1 << 3 // MPTCP_SUBFLOW_FLAG_JOIN_LOC
)

// decodeSocket decodes a struct inet_diag_msg and what follows it. ok is false
// if that is not a subflow.
func decodeSocket(b []byte) (s socket, ok bool, err error) {
	if len(b) < diagMsgSize {
		return socket{}, false, errTruncated
	}
	family, id := b[0], b[4:4+idSize]
	s.established = b[1] == stateEstablished
	addr := func(b []byte) netip.Addr {
		if family == afINET {
			b = b[:4]
		}
		a, _ := netip.AddrFromSlice(b)
		return a.Unmap()
	}
	s.local = netip.AddrPortFrom(addr(id[4:20]), binary.BigEndian.Uint16(id[0:]))
	s.remote = netip.AddrPortFrom(addr(id[20:36]), binary.BigEndian.Uint16(id[2:]))
	for a, err := range attributes(b[diagMsgSize:]) {
		if err != nil {
			return socket{}, false, err
		}
		if a.number() != diagULPInfo {
			continue
		}
		for u, err := range attributes(a.Data) {
			if err != nil {
				return socket{}, false, err
			}
			if u.number() != ulpMPTCP {
				continue
			}
			ok = true
			if err := s.decodeULP(u.Data); err != nil {
				return socket{}, false, err
			}
		}
	}
	return s, ok && s.token != 0, nil
}

func (s *socket) decodeULP(b []byte) error {
	for a, err := range attributes(b) {
		if err != nil {
			return err
		}
		switch a.number() {
		case ulpToken:
			a.uint32(&s.token)
		case ulpFlags:
			var f uint32
			a.uint32(&f)
			s.dialed = f&(flagCapable|flagJoin) != 0
		}
	}
	return nil
}
