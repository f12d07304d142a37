package pathmanager

import (
	"fmt"
	"net/netip"
	"slices"
)

// wanted is what should be there, of ours.
type wanted struct {
	endpoints []Endpoint
	rules     []rule
	routes    []route
}

// compare plans what the configuration wants.
func (p *planner) compare() error {
	var want wanted
	most := 0
	room := maxEndpoints
	for _, e := range p.endpoints {
		if !p.oursEndpoint(e) && e.Flags&Implicit == 0 {
			room--
		}
	}
	for _, v6 := range []bool{false, true} {
		paths, notes := p.candidates(p.snapshot, p.own, p.outlook.silent, v6)
		if len(paths) == 0 {
			p.keep(&want, v6)
			p.plan.Notes = append(p.plan.Notes, notes...)
			continue
		}
		p.plan.Notes = append(p.plan.Notes, notes...)
		begin := begins(paths)
		for i, c := range paths {
			e := Endpoint{Addr: c.Addr, Flags: c.Flags, IfIndex: c.Index}
			switch other := p.foreign(c.Addr); {
			case other != nil:
				// It needs our rules and routes nevertheless.
				p.note("the endpoint %s is not ours, and left as it is%s", p.endpointText(*other), p.instead(e, *other))
				e.Flags = 0
			case p.outlook.silent[c.Addr], !p.outlook.all && i == begin && c.Flags == Subflow && !p.has(c.Addr):
				e.Flags = 0
			}
			if room == 0 && e.Flags != 0 {
				p.note("%v takes no part: the kernel has room for %d endpoints", c.Addr, maxEndpoints)
				continue
			}
			if e.Flags != 0 {
				room--
				want.endpoints = append(want.endpoints, e)
			}
			if who := p.intruder(c.Table); who != 0 {
				return fmt.Errorf("pathmanager: table %d is in use by routes of protocol %d: choose another one by Config.Table or --table", c.Table, who)
			}
			c.Path.Flags = e.Flags
			want.rules = append(want.rules, p.rulesFor(c.Table, c.Addr, e.Flags != 0)...)
			want.routes = append(want.routes, p.routesFor(p.snapshot, c, paths)...)
			p.plan.Paths = append(p.plan.Paths, c.Path)
		}
		most = max(most, len(paths))
	}
	p.unmatched()
	if most < 2 {
		p.note("there is no second path: a path is an interface that is up, with an address and a default route")
	}
	p.replace(want)
	p.setLimits(most)
	return nil
}

// unmatched notes what the configuration names that is not there.
func (p *planner) unmatched() {
	for _, name := range slices.Concat(p.Paths, p.Costly) {
		one := []string{name}
		found := false
		for _, l := range p.links {
			found = found || named(one, l.name, netip.Addr{})
		}
		for _, a := range p.addresses {
			found = found || named(one, "", a.prefix.Addr())
		}
		if !found {
			p.note("there is no interface and no address %s", name)
		}
	}
}

// keep keeps what there is of a family that has no path at the moment. The last
// subflow of a connection, even one that is dead, is better than none: it may
// wake up, and without any Linux ends the connection after a minute.
func (p *planner) keep(want *wanted, v6 bool) {
	kept, tables := make(map[netip.Addr]bool), make(map[uint32]bool)
	for _, e := range p.endpoints {
		l, there := p.links[e.IfIndex]
		if !p.oursEndpoint(e) || e.Addr.Is6() != v6 || there && len(p.Paths) > 0 && !named(p.Paths, l.name, e.Addr) {
			continue
		}
		kept[e.Addr], tables[p.Table+uint32(e.IfIndex)] = true, true
		want.endpoints = append(want.endpoints, e)
		p.note("the endpoint %s has no path at the moment, and stays because there is no other", p.endpointText(e))
	}
	for _, r := range p.rules {
		if p.oursRule(r) && kept[r.from.Addr()] {
			want.rules = append(want.rules, r)
		}
	}
	for _, r := range p.routes {
		if p.oursRoute(r) && r.dst.Addr().Is6() == v6 && tables[r.table] {
			want.routes = append(want.routes, plain(r))
		}
	}
}

// has says whether an address has an endpoint of ours.
func (p *planner) has(a netip.Addr) bool {
	return slices.ContainsFunc(p.endpoints, func(e Endpoint) bool { return e.Addr == a && p.oursEndpoint(e) })
}

// foreign is the endpoint that somebody else has made for an address.
func (p *planner) foreign(a netip.Addr) *Endpoint {
	for _, e := range p.endpoints {
		if e.Addr == a && !p.oursEndpoint(e) && e.Flags&Implicit == 0 {
			return &e
		}
	}
	return nil
}

func (p *planner) instead(want, have Endpoint) string {
	if want.Flags == have.Flags {
		return ""
	}
	return ": it would be " + want.Flags.String()
}

// intruder is the protocol of somebody else's route in a table of ours.
func (p *planner) intruder(table uint32) uint8 {
	for _, r := range p.routes {
		if r.table == table && r.protocol != p.Protocol {
			return max(r.protocol, 1)
		}
	}
	return 0
}

// replace plans to have what is wanted, and nothing else of ours.
func (p *planner) replace(want wanted) {
	late := p.replaceEndpoints(want.endpoints)
	for _, r := range p.rules {
		if p.oursRule(r) && !slices.Contains(want.rules, r) {
			list := &p.changes.drop
			if late[r.from.Addr()] {
				list = &p.changes.last
			}
			p.rule(list, true, r)
		}
	}
	for _, r := range p.routes {
		if p.oursRoute(r) && !slices.Contains(want.routes, plain(r)) {
			p.route(&p.changes.drop, true, plain(r))
		}
	}
	var routes, rules []Change
	for _, r := range want.routes {
		if !slices.ContainsFunc(p.routes, func(x route) bool { return plain(x) == r }) {
			p.route(&routes, false, r)
		}
	}
	for _, r := range want.rules {
		if !slices.Contains(p.rules, r) {
			p.rule(&rules, false, r)
		}
	}
	// Routes before the rules that lead to them, and both before the endpoints,
	// which connections use at once.
	p.changes.add = slices.Concat(routes, rules, p.changes.add)
}

// replaceEndpoints does it for endpoints. It returns the addresses of those that
// go only after others have come, so that connections always have a subflow.
func (p *planner) replaceEndpoints(want []Endpoint) (late map[netip.Addr]bool) {
	late = make(map[netip.Addr]bool)
	stay, come := make(map[bool]bool), make(map[bool]bool) // by family
	for _, e := range p.endpoints {
		if !p.oursEndpoint(e) && e.Flags&Implicit == 0 {
			stay[e.Addr.Is6()] = true
		}
	}
	for _, w := range want {
		i := slices.IndexFunc(p.endpoints, func(e Endpoint) bool { return e.Addr == w.Addr && p.oursEndpoint(e) })
		if i < 0 {
			come[w.Addr.Is6()] = true
			p.endpoint(&p.changes.add, false, w)
			continue
		}
		have := p.endpoints[i]
		stay[w.Addr.Is6()] = true
		switch {
		case have.IfIndex != w.IfIndex || (have.Flags^w.Flags)&^Backup != 0:
			// The kernel can change fullmesh, but connections lose subflows by it.
			// One after the other, so that they never lose all.
			p.endpoint(&p.changes.add, true, have)
			p.endpoint(&p.changes.add, false, w)
		case have.Flags != w.Flags:
			w.ID = have.ID
			p.flags(have, w)
		}
	}
	for _, e := range p.endpoints {
		v6 := e.Addr.Is6()
		switch {
		case !p.oursEndpoint(e), slices.ContainsFunc(want, func(w Endpoint) bool { return w.Addr == e.Addr }):
		case come[v6] && !stay[v6] && len(p.endpoints) < maxEndpoints:
			late[e.Addr] = true
			p.endpoint(&p.changes.last, true, e)
			p.closeFirst(&p.changes.last, e)
		default:
			p.endpoint(&p.changes.first, true, e)
			p.closeFirst(&p.changes.first, e)
		}
	}
	return late
}
