package pathmanager

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// A candidate is a path, and what else its routes need.
type candidate struct {
	Path
	costly bool
	onlink bool
	routed bool // there is a default route
}

// candidates finds the paths of one family, the best ones first, and those that
// have gone silent last.
func (c Config) candidates(s *snapshot, own owned, silent map[netip.Addr]bool, v6 bool) (paths []candidate, notes []string) {
	for _, l := range sortedLinks(s.links) {
		if l.flags&unix.IFF_LOOPBACK != 0 {
			continue
		}
		gateway, routed := c.gateway(s, l.index, v6)
		a, why := c.address(s, own, l, gateway, v6)
		switch {
		case why != "":
		case !l.live():
			why = "it is down or has no carrier"
		case len(c.Paths) > 0:
		case tunnels[l.kind]:
			why = "interfaces of kind " + l.kind + " run over others or nowhere: name it to use it"
			if routed {
				why += "; if it is a VPN, subflows from other addresses go around it"
			}
		case l.master != 0:
			why = "it belongs to " + s.links[l.master].name
		case !routed:
			why = "no default route leads to it"
		}
		if why != "" {
			if a.IsValid() {
				notes = append(notes, fmt.Sprintf("%s with %v takes no part: %s", l.name, a, why))
			}
			continue
		}
		paths = append(paths, candidate{
			Path: Path{
				Interface: l.name, Index: l.index, Addr: a, Gateway: gateway.via, Metric: gateway.metric,
				Table: c.Table + uint32(l.index),
			},
			costly: named(c.Costly, l.name, a), onlink: gateway.onlink, routed: routed,
		})
	}
	slices.SortStableFunc(paths, func(a, b candidate) int {
		first := func(yes bool) int {
			if yes {
				return 0
			}
			return 1
		}
		_, muteA := silent[a.Addr]
		_, muteB := silent[b.Addr]
		return cmp.Or(
			first(!muteA)-first(!muteB),
			first(!a.costly)-first(!b.costly),
			first(a.routed)-first(b.routed),
			cmp.Compare(a.Metric, b.Metric),
		)
	})
	for i := range paths {
		paths[i].Flags = c.flags(i, paths[i].costly)
	}
	return paths, notes
}

// begins is the path that connections begin on: that of the best default route,
// costly or not.
func begins(paths []candidate) (first int) {
	for i, p := range paths {
		if best := paths[first]; p.routed && (!best.routed || p.Metric < best.Metric) {
			first = i
		}
	}
	return first
}

// gateway is the best default route by an interface, those of the main table
// first.
func (c Config) gateway(s *snapshot, index int, v6 bool) (best route, ok bool) {
	worse := func(r route) int {
		if r.table == unix.RT_TABLE_MAIN {
			return 0
		}
		return 1
	}
	for _, r := range s.routes {
		if !r.isDefault() || r.index != index || r.dst.Addr().Is6() != v6 || r.protocol == c.Protocol {
			continue
		}
		if !ok || cmp.Or(worse(r)-worse(best), cmp.Compare(r.metric, best.metric)) < 0 {
			best, ok = r, true
		}
	}
	return best, ok
}

// address chooses the address of an interface that sockets would be bound to.
// If there is none that takes part, it says why, unless nobody would ask.
func (c Config) address(s *snapshot, own owned, l link, gateway route, v6 bool) (best netip.Addr, why string) {
	var chosen address
	score := func(x address) int {
		a, n := x.prefix.Addr(), 0
		for i, good := range []bool{
			x.prefix.Contains(gateway.via) && !v6, // as the kernel chooses for IPv4
			own.has(a),                            // no change without need
			a == gateway.source,
		} {
			if good {
				n |= 1 << i
			}
		}
		return n
	}
	why = "none" // without an address
	for _, x := range s.addresses {
		a := x.prefix.Addr()
		switch {
		case x.index != l.index || !x.good() || a.Is6() != v6 || a.IsLinkLocalUnicast() || a.IsLoopback():
			continue
		case len(c.Paths) > 0 && !named(c.Paths, l.name, a):
			continue
		case why == "" && cmp.Or(score(x)-score(chosen), better(x, chosen)) <= 0:
			continue
		}
		best, chosen, why = a, x, ""
	}
	return best, why
}

func better(a, b address) int {
	switch {
	case a.better(b):
		return 1
	case b.better(a):
		return -1
	}
	return 0
}

func sortedLinks(m map[int]link) []link {
	all := make([]link, 0, len(m))
	for _, l := range m {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b link) int { return cmp.Compare(a.index, b.index) })
	return all
}

// routesFor are those of the table of a path: what is on its link, what is on
// the links of the other paths, which must not be reached by them, and the rest.
func (c Config) routesFor(s *snapshot, p candidate, all []candidate) []route {
	v6 := p.Addr.Is6()
	r := route{table: p.Table, protocol: c.Protocol, typ: unix.RTN_UNICAST, index: p.Index, metric: ownMetric}
	var routes []route
	add := func(dst netip.Prefix, via netip.Addr) {
		if slices.ContainsFunc(routes, func(x route) bool { return x.dst == dst }) {
			return
		}
		x := r
		x.dst, x.via, x.onlink = dst, via, via.IsValid() && p.onlink
		routes = append(routes, x)
	}
	for _, dst := range onLink(s.routes, p.Index, v6) {
		add(dst, netip.Addr{})
	}
	if !p.routed {
		return routes
	}
	for _, other := range all {
		for _, dst := range onLink(s.routes, other.Index, v6) {
			add(dst, p.Gateway)
		}
	}
	if v6 {
		add(netip.PrefixFrom(netip.IPv6Unspecified(), 0), p.Gateway)
	} else {
		add(netip.PrefixFrom(netip.IPv4Unspecified(), 0), p.Gateway)
	}
	return routes
}

// ownMetric is that of all our routes: IPv6 has none without.
const ownMetric = 1024
