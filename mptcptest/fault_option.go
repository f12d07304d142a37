package mptcptest

import "strings"

// Segments is a set of TCP segments of a connection, by their place in it.
type Segments uint8

// The places.
const (
	OnSYN      Segments = 1 << iota // the request to connect
	OnSYNACK                        // the answer to it
	OnThirdACK                      // the third segment of the handshake, if it carries no data
	OnLater                         // every one after that

	AfterSYN = OnThirdACK | OnLater // all but the first two
	Always   = OnSYN | OnSYNACK | AfterSYN
)

// String names the members.
func (s Segments) String() string {
	var names []string
	for i, n := range []string{"SYN", "SYN/ACK", "third ACK", "later segments"} {
		if s&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// place finds where in a connection a segment is. The third ACK is known by the
// option in it: only there is MP_CAPABLE or MP_JOIN without SYN and data.
func place(p *Packet) Segments {
	switch {
	case p.SYN() && p.ACK():
		return OnSYNACK
	case p.SYN():
		return OnSYN
	case len(p.Payload()) == 0 && p.HasMPTCP(MPCapable, MPJoin):
		return OnThirdACK
	}
	return OnLater
}

// StripMPTCP removes the Multipath TCP option from segments, as a firewall that
// "normalises" TCP does. The segments themselves pass.
func StripMPTCP(on Segments) Fault {
	return Fault{"strip MPTCP from " + on.String(), func(p *Packet) Verdict {
		if on&place(p) != 0 {
			p.StripMPTCP()
		}
		return Pass
	}}
}

// DropAddAddr loses announcements of further addresses, and nothing else: where
// one comes with data, the data goes on without it.
func DropAddAddr() Fault {
	return Fault{"drop ADD_ADDR", func(p *Packet) Verdict {
		switch {
		case !p.HasMPTCP(AddAddr):
		case len(p.Payload()) == 0:
			return Drop
		default:
			p.StripMPTCP(AddAddr)
		}
		return Pass
	}}
}

// MangleAddAddr spoils the authentication code of announcements of further
// addresses, so that the receiver must not believe them.
func MangleAddAddr() Fault {
	return Fault{"mangle ADD_ADDR", func(p *Packet) Verdict {
		for o := range p.MPTCP() {
			if o.Subtype() == AddAddr && o[2]&1 == 0 { // an echo has no code
				o[len(o)-1] ^= 0xff
				p.Changed()
			}
		}
		return Pass
	}}
}

// RewritePayload has f change the payload of every segment that has one, in
// place, and corrects the TCP checksum: what an application-level gateway does.
// Only Multipath TCP's own checksum, if it is switched on, can tell.
func RewritePayload(f func(payload []byte)) Fault {
	return Fault{"rewrite payload", func(p *Packet) Verdict {
		p.Rewrite(f)
		return Pass
	}}
}
