package mptcptest

import (
	"fmt"
	"iter"
	"slices"
)

// Subtype is the kind of a Multipath TCP option.
type Subtype uint8

// The subtypes of RFC 8684.
const (
	MPCapable   Subtype = iota // a connection that wants to be multipath
	MPJoin                     // another subflow of one
	DSS                        // data sequence: where data belongs, what has arrived
	AddAddr                    // the sender has another address
	RemoveAddr                 // the sender has lost an address
	MPPrio                     // this subflow is a backup now, or is not any more
	MPFail                     // a checksum was wrong
	MPFastclose                // reset of the whole connection
	MPTCPReset                 // why this subflow is reset
)

var subtypeNames = [...]string{"MP_CAPABLE", "MP_JOIN", "DSS", "ADD_ADDR", "REMOVE_ADDR", "MP_PRIO", "MP_FAIL", "MP_FASTCLOSE", "MP_TCPRST"}

// String is the name that RFC 8684 gives the subtype.
func (s Subtype) String() string {
	if int(s) < len(subtypeNames) {
		return subtypeNames[s]
	}
	return fmt.Sprintf("MPTCP(%d)", uint8(s))
}

// MPTCPOption is one Multipath TCP option in a segment, with its two bytes of
// kind and length. It may be changed in place; call [Packet.Changed] then.
type MPTCPOption []byte

// Subtype is the kind of the option.
func (o MPTCPOption) Subtype() Subtype { return Subtype(o[2] >> 4) }

const (
	optEnd   = 0
	optNOP   = 1
	optMPTCP = 30
)

// MPTCP iterates over the Multipath TCP options of the segment.
func (p *Packet) MPTCP() iter.Seq[MPTCPOption] {
	return func(yield func(MPTCPOption) bool) {
		for o := range p.options() {
			if o[0] == optMPTCP && len(o) >= 3 && !yield(MPTCPOption(o)) {
				return
			}
		}
	}
}

// options iterates over the TCP options that have a length.
func (p *Packet) options() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !p.TCP() {
			return
		}
		b := p.data[p.l4+20 : p.payload]
		for len(b) > 0 && b[0] != optEnd {
			if b[0] == optNOP {
				b = b[1:]
				continue
			}
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return
			}
			n := int(b[1])
			if !yield(b[:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// HasMPTCP says whether the segment carries a Multipath TCP option of one of
// the subtypes, or any at all if none is named.
func (p *Packet) HasMPTCP(subtypes ...Subtype) bool {
	for o := range p.MPTCP() {
		if len(subtypes) == 0 || slices.Contains(subtypes, o.Subtype()) {
			return true
		}
	}
	return false
}

// StripMPTCP writes padding over the Multipath TCP options of the subtypes, or
// all if none is named, and says whether there was one.
func (p *Packet) StripMPTCP(subtypes ...Subtype) bool {
	found := false
	for o := range p.MPTCP() {
		if len(subtypes) == 0 || slices.Contains(subtypes, o.Subtype()) {
			for i := range o {
				o[i] = optNOP
			}
			found = true
		}
	}
	p.changed = p.changed || found
	return found
}
