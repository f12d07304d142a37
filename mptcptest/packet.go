package mptcptest

import (
	"encoding/binary"
	"net/netip"
)

// Packet is an IP packet on its way through a link, as a [Filter] sees it. It
// is valid only during the call.
type Packet struct {
	data    []byte // from the IP header on; capacity beyond it may be used
	l4      int    // where the transport header begins, 0 if there is none
	payload int    // where the TCP payload begins, 0 if this is not TCP
	changed bool   // checksums are to be computed anew
	replies [][]byte
}

const (
	protoTCP = 6
	protoUDP = 17
)

// parse decodes an IP packet. Anything it cannot make sense of is a packet
// without a transport header.
func parse(b []byte) Packet {
	p := Packet{data: b}
	var proto byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		ihl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		fragment := binary.BigEndian.Uint16(b[6:])&0x3fff != 0
		if ihl < 20 || total < ihl || total > len(b) || fragment {
			return p
		}
		p.data, p.l4, proto = b[:total], ihl, b[9]
	case len(b) >= 40 && b[0]>>4 == 6:
		total := 40 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			return p
		}
		p.data, p.l4, proto = b[:total], 40, b[6]
	default:
		return p
	}
	switch l4 := p.data[p.l4:]; {
	case proto == protoTCP && len(l4) >= 20:
		if n := int(l4[12]>>4) * 4; n >= 20 && n <= len(l4) {
			p.payload = p.l4 + n
			return p
		}
	case proto == protoUDP && len(l4) >= 8:
		return p
	}
	p.l4 = 0
	return p
}

// Bytes is the packet from its IP header on. Changing it in place is allowed;
// call [Packet.Changed] then.
func (p *Packet) Bytes() []byte { return p.data }

// Changed says that the bytes were changed and that all checksums must be
// computed anew before the packet goes on. The methods of Packet that change
// something call it themselves.
func (p *Packet) Changed() { p.changed = true }

// IPv6 says whether the packet is IPv6. It is IPv4 if not.
func (p *Packet) IPv6() bool { return len(p.data) > 0 && p.data[0]>>4 == 6 }

// TCP says whether the packet is a TCP segment. If not, the methods about TCP
// answer false, zero and nil.
func (p *Packet) TCP() bool { return p.payload != 0 }

// Source is the source address, with the port if the packet is TCP or UDP.
func (p *Packet) Source() netip.AddrPort { return p.addrPort(12, 8, 0) }

// Destination is the destination address, with the port if the packet is TCP
// or UDP.
func (p *Packet) Destination() netip.AddrPort { return p.addrPort(16, 24, 2) }

func (p *Packet) addrPort(at4, at6, port int) netip.AddrPort {
	var a netip.Addr
	switch {
	case p.IPv6() && len(p.data) >= 40:
		a, _ = netip.AddrFromSlice(p.data[at6 : at6+16])
	case !p.IPv6() && len(p.data) >= 20:
		a, _ = netip.AddrFromSlice(p.data[at4 : at4+4])
	}
	if p.l4 == 0 {
		return netip.AddrPortFrom(a, 0)
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(p.data[p.l4+port:]))
}

// setAddrPort is the inverse, for an address of the same family.
func (p *Packet) setAddrPort(at4, at6, port int, a netip.AddrPort) {
	at := at4
	if p.IPv6() {
		at = at6
	}
	copy(p.data[at:], a.Addr().AsSlice())
	binary.BigEndian.PutUint16(p.data[p.l4+port:], a.Port())
	p.changed = true
}

func (p *Packet) setSource(a netip.AddrPort)      { p.setAddrPort(12, 8, 0, a) }
func (p *Packet) setDestination(a netip.AddrPort) { p.setAddrPort(16, 24, 2, a) }

// slack is the room beyond the MTU in the buffer of a packet, for a filter to
// make it grow.
const slack = 64
