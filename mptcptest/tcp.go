package mptcptest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Bits of the TCP header's flags.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

func (p *Packet) flag(f byte) bool { return p.payload != 0 && p.data[p.l4+13]&f != 0 }

// SYN says whether the segment opens a connection, in either direction.
func (p *Packet) SYN() bool { return p.flag(flagSYN) }

// ACK says whether the segment acknowledges, which all do but the first.
func (p *Packet) ACK() bool { return p.flag(flagACK) }

// FIN says whether the segment ends its direction of a connection.
func (p *Packet) FIN() bool { return p.flag(flagFIN) }

// RST says whether the segment resets a connection.
func (p *Packet) RST() bool { return p.flag(flagRST) }

// Seq is the TCP sequence number.
func (p *Packet) Seq() uint32 { return p.tcp32(4) }

// AckNumber is the TCP acknowledgement number.
func (p *Packet) AckNumber() uint32 { return p.tcp32(8) }

func (p *Packet) tcp32(at int) uint32 {
	if !p.TCP() {
		return 0
	}
	return binary.BigEndian.Uint32(p.data[p.l4+at:])
}

// Payload is what the TCP segment carries.
func (p *Packet) Payload() []byte {
	if !p.TCP() {
		return nil
	}
	return p.data[p.payload:len(p.data):len(p.data)]
}

// Rewrite has f change the payload in place. Its length stays.
func (p *Packet) Rewrite(f func(payload []byte)) {
	if b := p.Payload(); len(b) > 0 {
		f(b)
		p.changed = true
	}
}

// Reset answers a TCP segment with a reset, as a firewall does. The segment
// itself goes on unless the filter drops it.
func (p *Packet) Reset() {
	if !p.TCP() || p.RST() {
		return
	}
	n := len(p.Payload())
	if p.SYN() {
		n++
	}
	if p.FIN() {
		n++
	}
	b := make([]byte, p.l4+20)
	copy(b, p.data[:p.l4])
	r := Packet{data: b, l4: p.l4, payload: p.l4 + 20, changed: true}
	r.setSource(p.Destination())
	r.setDestination(p.Source())
	tcp := b[p.l4:]
	tcp[12] = 5 << 4
	if p.ACK() {
		tcp[13] = flagRST
		binary.BigEndian.PutUint32(tcp[4:], p.AckNumber())
	} else {
		tcp[13] = flagRST | flagACK
		binary.BigEndian.PutUint32(tcp[8:], p.Seq()+uint32(n))
	}
	r.finish()
	p.replies = append(p.replies, r.data)
}

// String describes the packet in one line, for timelines and failures.
func (p *Packet) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v > %v", p.Source(), p.Destination())
	if !p.TCP() {
		fmt.Fprintf(&b, " %d bytes", len(p.data))
		return b.String()
	}
	for _, f := range []struct {
		bit  byte
		name string
	}{{flagSYN, "SYN"}, {flagACK, "ACK"}, {flagFIN, "FIN"}, {flagRST, "RST"}} {
		if p.flag(f.bit) {
			b.WriteByte(' ')
			b.WriteString(f.name)
		}
	}
	for o := range p.MPTCP() {
		fmt.Fprintf(&b, " %v", o.Subtype())
	}
	if n := len(p.Payload()); n > 0 {
		fmt.Fprintf(&b, " %d bytes", n)
	}
	return b.String()
}
