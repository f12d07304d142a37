package mptcptest

import "encoding/binary"

// finish computes the lengths and checksums of a changed packet.
func (p *Packet) finish() {
	if !p.changed {
		return
	}
	p.changed = false
	b := p.data
	var pseudo uint32
	switch {
	case p.l4 == 0:
		return // unknown content: what is in it is the filter's business
	case p.IPv6():
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		pseudo = sum(b[8:40], 0)
	default:
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], fold(sum(b[:p.l4], 0)))
		pseudo = sum(b[12:20], 0)
	}
	l4, proto, at := b[p.l4:], uint32(protoUDP), 6
	if p.TCP() {
		proto, at = protoTCP, 16
	} else {
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	}
	l4[at], l4[at+1] = 0, 0
	c := fold(sum(l4, pseudo+proto+uint32(len(l4))))
	if c == 0 && !p.TCP() {
		c = 0xffff // for UDP, zero means none
	}
	binary.BigEndian.PutUint16(l4[at:], c)
}

// sum adds 16-bit words for the Internet checksum. No packet is long enough to
// overflow it.
func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
