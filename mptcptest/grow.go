package mptcptest

import (
	"encoding/binary"
	"net/netip"
	"sync"
)

// Append adds bytes to the payload of a TCP segment. It says false, and does
// nothing, if there is no room in the buffer, which has some 64 bytes beyond the
// MTU; a packet longer than the MTU is lost. Sequence numbers are the filter's
// business: see [GrowPayload].
func (p *Packet) Append(b []byte) bool {
	if !p.TCP() || cap(p.data)-len(p.data) < len(b) {
		return false
	}
	p.data = append(p.data, b...)
	p.changed = true
	return true
}

// GrowPayload adds bytes to the first segment with a payload that matches, and
// from then on shifts that connection's sequence and acknowledgement numbers so
// that TCP does not notice: what an application-level gateway does that writes
// a longer address into FTP. To be injected in both directions. It does not
// shift selective acknowledgements, so the link should not lose packets.
func GrowPayload(extra []byte, match func(*Packet) bool) Fault {
	g := &grower{extra: extra, match: match}
	return Fault{"grow payload", g.filter}
}

type grower struct {
	extra []byte
	match func(*Packet) bool

	mu       sync.Mutex
	done     bool
	src, dst netip.AddrPort
	at       uint32 // sequence number after the segment, as its sender counts
}

func (g *grower) filter(p *Packet) Verdict {
	if !p.TCP() {
		return Pass
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	end := p.Seq() + uint32(len(p.Payload()))
	if !g.done && len(p.Payload()) > 0 && g.match(p) {
		g.done, g.src, g.dst, g.at = true, p.Source(), p.Destination(), end
	}
	switch {
	case !g.done:
	case p.Source() == g.src && p.Destination() == g.dst:
		if len(p.Payload()) > 0 && end == g.at {
			p.Append(g.extra) // again if it is sent again
		} else if int32(p.Seq()-g.at) >= 0 {
			p.add32(4, uint32(len(g.extra)))
		}
	case p.Source() == g.dst && p.Destination() == g.src && p.ACK():
		if over := int32(p.AckNumber() - g.at); over > 0 {
			p.add32(8, -uint32(min(over, int32(len(g.extra)))))
		}
	}
	return Pass
}

// add32 adds to a field of the TCP header.
func (p *Packet) add32(at int, n uint32) {
	binary.BigEndian.PutUint32(p.data[p.l4+at:], p.tcp32(at)+n)
	p.changed = true
}
