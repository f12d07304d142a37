package pathmanager

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// memory is a route that leads nowhere, in a table that no rule leads to. Its
// metric is what the limits were, and what we made of them: two decimal digits
// for each number, after a one. So it lives exactly as long as they do, and
// any process can undo what another has done.
func (c Config) memory(before, after Limits) route {
	metric := uint32(1)
	for _, n := range []uint32{before.Subflows, before.AddAddrAccepted, after.Subflows, after.AddAddrAccepted} {
		metric = metric*100 + min(n, 99)
	}
	return route{
		table: c.Table, protocol: c.Protocol, typ: unix.RTN_BLACKHOLE,
		dst: netip.PrefixFrom(netip.IPv4Unspecified(), 0), metric: metric,
	}
}

// remembered returns what the memory says, and all routes that are one.
func (c Config) remembered(s *snapshot) (before, after Limits, all []route) {
	for _, r := range s.routes {
		if r.protocol != c.Protocol || r.table != c.Table || r.typ != unix.RTN_BLACKHOLE {
			continue
		}
		all = append(all, plain(r))
		digits := func(divisor uint32) uint32 { return r.metric / divisor % 100 }
		before = Limits{Subflows: digits(1e6), AddAddrAccepted: digits(1e4)}
		after = Limits{Subflows: digits(100), AddAddrAccepted: digits(1)}
	}
	return before, after, all
}

func (l Limits) equal(m Limits) bool {
	return l.Subflows == m.Subflows && l.AddAddrAccepted == m.AddAddrAccepted
}

// plain is a route as we would have asked for it.
func plain(r route) route {
	r.source = netip.Addr{}
	return r
}

// setLimits plans the limits for a number of paths, and the memory of what they
// were.
func (p *planner) setLimits(paths int) {
	before, after, memory := p.remembered(p.snapshot)
	if memory == nil || !p.limits.equal(after) {
		before = p.limits // as found, or as somebody else wanted since
	}
	before.Unknown = p.limits.Unknown
	want := p.limitsFor(before, paths)
	if memory != nil && p.limits.equal(after) {
		want.Subflows = max(want.Subflows, after.Subflows) // it is no use to lower it while a path is away
	}
	var changes []Change
	keep := p.memory(before, want)
	for _, r := range memory {
		if r != keep || want.equal(before) {
			p.route(&changes, true, r)
		}
	}
	if !want.equal(before) && !slices.Contains(memory, keep) {
		p.route(&changes, false, keep)
	}
	p.changes.drop = append(p.changes.drop, changes...)
	if !want.equal(p.limits) {
		p.limitsTo(want)
	}
}

func (p *planner) limitsTo(l Limits) {
	l.Unknown = p.limits.Unknown
	c := Change{
		Action: Modify, Object: ObjectLimits, Limits: l,
		Text:    fmt.Sprintf("set limits %v, from %v", l, p.limits),
		Command: fmt.Sprintf("ip mptcp limits set subflows %d add_addr_accepted %d", l.Subflows, l.AddAddrAccepted),
		step:    limitsStep{p.limits, l},
	}
	if l.Subflows >= p.limits.Subflows && l.AddAddrAccepted >= p.limits.AddAddrAccepted {
		// Before the endpoints that need them.
		p.changes.drop = append(p.changes.drop, c)
		return
	}
	p.changes.last = append(p.changes.last, c)
}
