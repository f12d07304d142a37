package mptcptest

import (
	"fmt"
	"net/netip"
	"sync"
)

// NAT is an address translator on a link, as a home router or a mobile network
// has one. It translates TCP and UDP.
type NAT struct {
	link    *Link
	inside  *Host
	heal    func()
	mu      sync.Mutex
	next    uint16
	outward map[flow]netip.AddrPort // inside to outside address
	inward  map[flow]netip.AddrPort // outside to inside address
}

// flow is an address and port of one protocol.
type flow struct {
	tcp  bool
	addr netip.AddrPort
}

// Ports that a NAT gives, never one twice in a row.
const natFirst, natLast = 20000, 60000

// NAT hides a host from the other end of the link: what it sends comes from
// another address of the link's subnet, 10.N.0.254 or fd00:N::fe, with another
// port, and nothing reaches it but answers. It ends with [NAT.Remove].
func (l *Link) NAT(inside *Host) *NAT {
	l.net.t.Helper()
	n := &NAT{link: l, inside: inside, next: natFirst}
	n.forget()
	from := l.From(inside)
	back := l.dirs[0]
	if back == from {
		back = l.dirs[1]
	}
	n.heal = l.net.injected(l.name, Fault{Name: "NAT for " + inside.name},
		from.inject(Fault{Filter: n.out}), back.inject(Fault{Filter: n.in}))
	return n
}

// Addr is the address that hides the host's IPv4 address.
func (n *NAT) Addr() netip.Addr { return n.link.end(n.inside).v4outside() }

// Addr6 is the address that hides the host's IPv6 address.
func (n *NAT) Addr6() netip.Addr { return n.link.end(n.inside).v6outside() }

// Rebind forgets all translations. Connections that are in use get another
// port, which to the other host is a stranger.
func (n *NAT) Rebind() {
	n.link.net.t.Helper()
	n.forget()
	n.link.net.logf("%s: NAT for %s rebound", n.link.name, n.inside)
}

// Remove ends the translation.
func (n *NAT) Remove() {
	n.link.net.t.Helper()
	n.heal()
}

// String says how many translations there are.
func (n *NAT) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf("NAT for %s on %s, %d flows", n.inside, n.link.name, len(n.outward))
}

func (n *NAT) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outward, n.inward = map[flow]netip.AddrPort{}, map[flow]netip.AddrPort{}
}

func (n *NAT) out(p *Packet) Verdict {
	from := flow{p.TCP(), p.Source()}
	if from.addr.Port() == 0 {
		return Pass // no ports in it
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	to, ok := n.outward[from]
	if !ok {
		a := n.Addr()
		if p.IPv6() {
			a = n.Addr6()
		}
		to = netip.AddrPortFrom(a, n.next)
		if n.next++; n.next == natLast {
			n.next = natFirst
		}
		n.outward[from] = to
		n.inward[flow{from.tcp, to}] = from.addr
	}
	p.setSource(to)
	return Pass
}

func (n *NAT) in(p *Packet) Verdict {
	to := flow{p.TCP(), p.Destination()}
	if to.addr.Port() == 0 {
		return Pass
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	inside, ok := n.inward[to]
	if !ok {
		return Drop
	}
	p.setDestination(inside)
	return Pass
}

// v4outside and v6outside are the addresses on the link that no host has.
func (e *end) v4outside() netip.Addr {
	b := e.v4.Addr().As4()
	b[3] = 254
	return netip.AddrFrom4(b)
}

func (e *end) v6outside() netip.Addr {
	b := e.v6.Addr().As16()
	b[15] = 0xfe
	return netip.AddrFrom16(b)
}
