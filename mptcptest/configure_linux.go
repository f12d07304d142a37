package mptcptest

import "net/netip"

// Metrics of routes: lower is preferred. A table of the routes for one source
// address ends with a refusal, so that a packet with that address never leaves
// by another link.
const (
	metricDefault = 100 // plus the number of the link
	metricRefuse  = 1 << 30
)

var (
	defaultV4 = netip.MustParsePrefix("0.0.0.0/0")
	defaultV6 = netip.MustParsePrefix("::/0")
)

// chooses says whether packets from the end's addresses leave by this link
// wherever they go. At the second host of a link without a router it is the
// destination that decides. So packets in both directions between two hosts use
// one link, that of the first host's address.
func (e *end) chooses() bool {
	return !e.host.router && (e.peer.host.router || e == e.link.ends[0])
}

// table is the number of the routing table for packets from the end's
// addresses.
func (e *end) table() uint32 { return uint32(1000 + e.link.number) }

// configure gives every interface that is up its addresses and routes. All of
// it can be repeated: taking an interface down has lost most.
func (n *Network) configure() error {
	n.mu.Lock()
	hosts := n.hosts
	n.mu.Unlock()
	for _, h := range hosts {
		if err := h.ns.route(h.configure); err != nil {
			return err
		}
	}
	for _, h := range hosts {
		for _, e := range h.ends {
			if e.down || e.peer.down {
				continue
			}
			if err := e.running(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *Host) configure(r *routeConn) error {
	for _, e := range h.ends {
		if e.down {
			continue
		}
		if err := r.setUp(e.index, true); err != nil {
			return err
		}
		if err := e.configure(r); err != nil {
			return err
		}
	}
	if !h.router {
		return nil
	}
	for _, l := range h.net.links {
		via := h.toward(l)
		if via == nil || via.down {
			continue
		}
		for i, dst := range []netip.Prefix{l.ends[0].v4, l.ends[0].v6} {
			gateway := [2]netip.Prefix{via.peer.v4, via.peer.v6}[i].Addr()
			if err := r.addRoute(entry{dst: dst.Masked(), gateway: gateway, index: via.index, table: mainTable, metric: metricDefault}); err != nil {
				return err
			}
		}
	}
	return nil
}

// mainTable is RT_TABLE_MAIN.
const mainTable = 254

func (e *end) configure(r *routeConn) error {
	for _, x := range []struct {
		own, peer, all netip.Prefix
		nat            netip.Addr
	}{{e.v4, e.peer.v4, defaultV4, e.v4outside()}, {e.v6, e.peer.v6, defaultV6, e.v6outside()}} {
		if !e.removed {
			if err := r.address(e.index, x.own, true); err != nil {
				return err
			}
		}
		for _, a := range []netip.Addr{x.peer.Addr(), x.nat} {
			if err := r.neighbour(e.index, a, e.peer.mac); err != nil {
				return err
			}
		}
		var routes []entry
		if e.chooses() && !e.removed { // without the address the gateway is nobody's neighbour
			via := entry{dst: x.all, gateway: x.peer.Addr(), index: e.index, table: e.table(), metric: metricDefault}
			routes = append(routes, via,
				entry{dst: x.own.Masked(), index: e.index, table: e.table(), metric: metricDefault},
				entry{dst: x.all, table: e.table(), metric: metricRefuse})
			if !e.host.router {
				via.table, via.metric, via.source = mainTable, metricDefault+uint32(e.link.number), x.own.Addr()
				routes = append(routes, via)
			}
		}
		for _, route := range routes {
			if err := r.addRoute(route); err != nil {
				return err
			}
		}
	}
	return nil
}

// toward returns the end by which a router reaches a link that it is not on:
// that of the fewest routers in between. Nil if it is on the link, or there is
// no way.
func (h *Host) toward(l *Link) *end {
	type step struct {
		at    *Host
		first *end
	}
	seen := map[*Host]bool{h: true}
	queue := []step{{at: h}}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, e := range s.at.ends {
			if e.link == l {
				return s.first // nil for h itself
			}
			if next := e.peer.host; next.router && !seen[next] {
				seen[next] = true
				first := s.first
				if first == nil {
					first = e
				}
				queue = append(queue, step{next, first})
			}
		}
	}
	return nil
}
