package mptcptest

import "sync/atomic"

// Verdict is what becomes of a packet after a [Filter] has seen it.
type Verdict uint8

// The verdicts.
const (
	Pass Verdict = iota // it goes on, with what the filter changed
	Drop                // it is lost, and nobody is told
)

// Filter looks at one packet after the other as they enter one direction of a
// link. It may change them, answer them, or have them dropped. It is called
// from one goroutine per direction: a filter in both has to lock what it
// shares.
type Filter func(*Packet) Verdict

// Fault is a filter with a name for the timeline. The functions of this package
// that return one are ready-made faults; they are a few lines each, and anyone
// can write another. See [Link.Inject] for switching it on.
type Fault struct {
	Name   string
	Filter Filter
}

// DropAll loses everything: a path that is dead, and does not say so. Unlike
// [Link.Cut] neither host can see it.
func DropAll() Fault {
	return Fault{"drop everything", func(*Packet) Verdict { return Drop }}
}

// DropIf loses the packets that match. The name is for the timeline.
func DropIf(name string, match func(*Packet) bool) Fault {
	return Fault{name, func(p *Packet) Verdict {
		if match(p) {
			return Drop
		}
		return Pass
	}}
}

// DropNth loses exactly one packet: the n-th that matches, counted from 1 and
// from when the fault is made, over both directions if it is injected in both.
func DropNth(n int, match func(*Packet) bool) Fault {
	var seen atomic.Int64
	return DropIf("drop one packet", func(p *Packet) bool {
		return match(p) && seen.Add(1) == int64(n)
	})
}

// DropMPTCPSYN loses connection requests that carry a Multipath TCP option,
// MP_CAPABLE or MP_JOIN, as some firewalls do.
func DropMPTCPSYN() Fault {
	return DropIf("drop SYN with MPTCP", func(p *Packet) bool {
		return p.SYN() && !p.ACK() && p.HasMPTCP()
	})
}

// DropMPTCPSYNACK loses the answers to them that carry the option.
func DropMPTCPSYNACK() Fault {
	return DropIf("drop SYN/ACK with MPTCP", func(p *Packet) bool {
		return p.SYN() && p.ACK() && p.HasMPTCP()
	})
}

// DropMPTCP loses everything but SYNs and SYN/ACKs that carries the option.
func DropMPTCP() Fault {
	return DropIf("drop segments with MPTCP", func(p *Packet) bool {
		return !p.SYN() && p.HasMPTCP()
	})
}

// DropJoin loses the connection requests of further subflows.
func DropJoin() Fault {
	return DropIf("drop MP_JOIN", func(p *Packet) bool { return p.SYN() && p.HasMPTCP(MPJoin) })
}

// ResetMPTCPSYN answers connection requests that carry the option with a reset,
// and loses them.
func ResetMPTCPSYN() Fault {
	return Fault{"reset SYN with MPTCP", func(p *Packet) Verdict {
		if p.SYN() && !p.ACK() && p.HasMPTCP() {
			p.Reset()
			return Drop
		}
		return Pass
	}}
}

// ResetAll answers every TCP segment with a reset, and loses it: a firewall
// that has forgotten its connections.
func ResetAll() Fault {
	return Fault{"reset everything", func(p *Packet) Verdict {
		if !p.TCP() {
			return Pass
		}
		p.Reset()
		return Drop
	}}
}
