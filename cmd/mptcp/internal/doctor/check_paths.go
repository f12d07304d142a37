package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/pathmanager"
)

var families = []bool{true, false} // is it IPv4?

// maxSubflows is the highest limit that some kernel allows: that of Linux 7.2.
// Those before it allow 8, and keep no more endpoints than 8, so that nothing
// needs more there.
const maxSubflows = 64

func checkLimits(h *Host) (string, []Finding, error) {
	if h.PMErr != nil {
		return "", nil, skipIfOff(h, h.PMErr)
	}
	needed := uint32(0)
	for _, v4 := range families {
		needed = max(needed, uint32(len(h.others(v4))))
	}
	needed = min(needed, maxSubflows)
	l := h.Limits
	summary := fmt.Sprintf("%d subflows besides the first, %d announced addresses are connected to", l.Subflows, l.AddAddrAccepted)
	f := Finding{
		State: Fault,
		Fix:   []Action{setLimits{max(needed, 2), l.AddAddrAccepted}},
	}
	switch {
	case l.Subflows == 0:
		f.Fault = "The limits allow no subflow besides the first."
		f.Consequence = "Every connection uses one path and dies with it; subflows of others are refused as well."
	case l.Subflows < needed:
		f.Fault = fmt.Sprintf("The limits allow %d subflows besides the first, and there are endpoints for %d.", l.Subflows, needed)
		f.Consequence = "Some of the paths are never used."
	default:
		return summary, nil, nil
	}
	return summary, []Finding{f}, nil
}

func checkEndpoints(h *Host) (string, []Finding, error) {
	if h.PMErr != nil {
		return "", nil, skipIfOff(h, h.PMErr)
	}
	if h.userspace() && h.Daemon {
		return "left to the program that manages the paths", nil, nil
	}
	var findings []Finding
	paths := 0
	for _, v4 := range families {
		if ifc := h.byAddr(h.primary(v4)); ifc != nil && ifc.Aside {
			continue // everything goes through a tunnel, and is not to go past it
		}
		ups := h.uplinks(v4)
		paths = max(paths, len(ups))
		for i, u := range ups {
			if i == 0 && u.addr == h.primary(v4) || h.endpoint(u.addr) != nil {
				continue
			}
			if h.used(u.ifc) {
				continue // peers announce what leads there
			}
			e := pathmanager.Endpoint{Addr: u.addr, Flags: pathmanager.Subflow, IfIndex: u.ifc.Index}
			f := Finding{
				State:       Fault,
				Fault:       fmt.Sprintf("%s leads out and has no endpoint: %v.", u.ifc.Name, u.addr),
				Consequence: "Connections that this host opens never use that path, and die with the one that they have.",
				Fix:         []Action{addEndpoint{e, u.ifc.Name}},
			}
			switch {
			case h.configured(u.ifc) && (h.Target == nil || h.Target.Addr.Addr().Is4() != v4):
				f.State = Notice
				f.Consequence = fmt.Sprintf("Connections by %s never use that path.", protocol(v4))
			case len(h.Endpoints) == 0 && h.announcements() > 0:
				f.State = Notice // the peers see to the second path
			}
			findings = append(findings, f)
		}
	}
	for _, e := range h.Endpoints {
		// An announced address may be that of a translator before this host.
		if e.Flags&pathmanager.Subflow != 0 && h.byAddr(e.Addr) == nil {
			findings = append(findings, Finding{
				State:       Notice,
				Fault:       fmt.Sprintf("No interface that is up has the address of endpoint %d, %v.", e.ID, e.Addr),
				Consequence: "Connections try in vain to use it.",
				Fix:         []Action{deleteEndpoint{e}},
			})
		}
	}
	summary := fmt.Sprintf("%d", len(h.Endpoints))
	switch {
	case len(h.Endpoints) == 0 && paths <= 1:
		summary = "none, and one way out: nothing to open a second subflow from"
	case len(h.Endpoints) == 0:
		summary = "none"
	}
	return summary, findings, nil
}

// configured says whether an address of the interface has an endpoint.
func (h *Host) configured(ifc *Interface) bool {
	return slices.ContainsFunc(ifc.Addrs, func(a netip.Addr) bool { return h.endpoint(a) != nil })
}

// used says whether the connection to the target has a subflow by the
// interface.
func (h *Host) used(ifc *Interface) bool {
	return h.Target != nil && slices.ContainsFunc(h.Target.Subflows, func(s Subflow) bool {
		return s.State == mptcp.TCPEstablished.String() && slices.Contains(ifc.Addrs, s.Local.Addr())
	})
}

func protocol(v4 bool) string {
	if v4 {
		return "IPv4"
	}
	return "IPv6"
}

// announcements is how many addresses peers have announced to this host.
func (h *Host) announcements() uint64 {
	if h.Target != nil && h.Target.AddAddrs > 0 {
		return h.Target.AddAddrs
	}
	for _, e := range h.Endpoints {
		if e.Flags&pathmanager.Signal != 0 {
			return 0 // connections of this host to itself count as well
		}
	}
	return h.Counters["AddAddr"]
}

// checked are the endpoints that packets have to come from.
func (h *Host) checked(flags pathmanager.Flags) []pathmanager.Endpoint {
	var all []pathmanager.Endpoint
	for _, e := range h.Endpoints {
		if e.Flags&flags != 0 && h.byAddr(e.Addr) != nil && h.way(e.Addr) != nil {
			all = append(all, e)
		}
	}
	return all
}

// misrouted says whether packets from an endpoint do not leave by its own
// interface.
func (h *Host) misrouted(e pathmanager.Endpoint) bool {
	w := h.way(e.Addr)
	if e.IfIndex != 0 {
		return !w.Bound
	}
	return w.Leaves != h.byAddr(e.Addr).Name
}

func checkRoutes(h *Host) (string, []Finding, error) {
	if h.PMErr != nil {
		return "", nil, skipIfOff(h, h.PMErr)
	}
	var findings []Finding
	from := h.checked(pathmanager.Subflow | pathmanager.Laminar)
	for _, e := range from {
		ifc, w := h.byAddr(e.Addr), h.way(e.Addr)
		if !h.misrouted(e) {
			continue
		}
		if gw, _ := ifc.gateway(e.Addr.Is4()); !gw.IsValid() && w.Leaves == "" {
			// A network without a way out: nothing is wrong with the routes.
			findings = append(findings, noWay(e, ifc))
			continue
		}
		f := Finding{
			State:       Fault,
			Fault:       fmt.Sprintf("Packets from %v, the endpoint of %s, leave by %s.", e.Addr, ifc.Name, w.Leaves),
			Consequence: "Subflows from it use the path of the others or are filtered out on the way: there is no second path.",
		}
		if w.Leaves == "" || e.IfIndex != 0 {
			f.Fault = fmt.Sprintf("Packets from %v, the endpoint of %s, have no route to other networks.", e.Addr, ifc.Name)
			f.Consequence = "Subflows from it are never opened."
		}
		f.Fix, f.Advice = sourceRoute(e.Addr, ifc)
		findings = append(findings, f)
	}
	switch n := len(from); n {
	case 0:
		return "no endpoint that needs one", findings, nil
	default:
		return fmt.Sprintf("%d of %d endpoints by their own interface", n-len(findings), n), findings, nil
	}
}

// sourceRoute is what sends packets from an address out of its interface.
func sourceRoute(a netip.Addr, ifc *Interface) ([]Action, string) {
	gw, table := ifc.gateway(a.Is4())
	if table != 0 {
		return []Action{addRule{a, table}}, ""
	}
	if !gw.IsValid() {
		return nil, fmt.Sprintf("Ask whoever runs that network for its gateway, then: ip %sroute add default via GATEWAY dev %s table %d; ip %srule add from %v table %d",
			six(a), ifc.Name, ifc.ownTable(), six(a), a, ifc.ownTable())
	}
	t := ifc.ownTable()
	return []Action{
		addRoute{gateway: gw, dev: ifc.Name, index: ifc.Index, table: t},
		addRule{a, t},
	}, ""
}

// ownTable is a routing table that nobody has given default routes to.
func (i *Interface) ownTable() uint32 {
	t := uint32(100 + i.Index)
	for slices.Contains(i.GatewayTables, t) {
		t++
	}
	return t
}

func noWay(e pathmanager.Endpoint, ifc *Interface) Finding {
	return Finding{
		State:       Notice,
		Fault:       fmt.Sprintf("%v, the endpoint of %s, has no route to other networks.", e.Addr, ifc.Name),
		Consequence: "Subflows from it reach only that network.",
		Advice:      "If there is a gateway, add a default route by it.",
	}
}

func checkReversePath(h *Host) (string, []Finding, error) {
	if h.PMErr != nil {
		return "", nil, skipIfOff(h, h.PMErr)
	}
	var findings []Finding
	strict := 0
	for _, ifc := range h.Interfaces {
		if ifc.ReversePath == 1 {
			strict++
		}
	}
	seen := make(map[string]bool)
	for _, e := range h.checked(pathmanager.Subflow | pathmanager.Laminar | pathmanager.Signal) {
		ifc, w := h.byAddr(e.Addr), h.way(e.Addr)
		if !e.Addr.Is4() || ifc.ReversePath != 1 || w.Leaves == "" || w.Leaves == ifc.Name || seen[ifc.Name] ||
			e.Flags&pathmanager.Subflow != 0 && h.misrouted(e) { // that is the fault, and its repair the repair
			continue
		}
		seen[ifc.Name] = true
		findings = append(findings, Finding{
			State: Fault,
			Fault: fmt.Sprintf("The reverse path filter of %s is strict (rp_filter 1), and answers to what comes there for %v leave by %s.",
				ifc.Name, e.Addr, w.Leaves),
			Consequence: "Packets of subflows at that address are dropped as they arrive, without a word.",
			Fix:         []Action{setSysctl{"net.ipv4.conf." + slashed(ifc.Name) + ".rp_filter", "2"}},
			Advice:      "Or give the address a route of its own, after which strict does no harm.",
		})
	}
	if strict == 0 {
		return "not strict", findings, nil
	}
	return fmt.Sprintf("strict at %d of %d interfaces", strict, len(h.Interfaces)), findings, nil
}

// slashed is an interface's name within that of a sysctl, where a dot separates.
func slashed(name string) string {
	b := []byte(name)
	for i := range b {
		if b[i] == '.' {
			b[i] = '/'
		}
	}
	return string(b)
}

func checkAnnounced(h *Host) (string, []Finding, error) {
	if h.PMErr != nil || h.CountersErr != nil || h.userspace() {
		return "", nil, errSkip
	}
	n := h.announcements()
	certain := h.Target != nil && h.Target.AddAddrs > 0
	if n == 0 {
		return "no peer has announced an address", nil, nil
	}
	summary := fmt.Sprintf("peers have announced %d addresses", n)
	// A host with another way out of its own opens the second subflow from
	// there, and one that dials nobody has no use for them.
	if h.Limits.AddAddrAccepted > 0 || h.Counters["MPCapableSYNACKRX"] == 0 ||
		len(h.others(true))+len(h.others(false)) > 0 {
		return summary, nil, nil
	}
	f := Finding{
		State:       Fault,
		Fault:       fmt.Sprintf("Peers have announced %d further addresses, and this host ignores them: add_addr_accepted is 0.", n),
		Consequence: "Connections use one path, although the peers offer a second one.",
		Fix:         []Action{setLimits{max(h.Limits.Subflows, 2), 2}},
	}
	if !certain && h.Counters["MPCapableACKRX"] > 0 {
		f.State = Notice // it may have been clients that announced them
	}
	if h.Limits.Subflows == 0 {
		return summary, nil, nil // the limits are the fault
	}
	return summary, []Finding{f}, nil
}

func checkListeners(h *Host) (string, []Finding, error) {
	switch {
	case h.off():
		return "", nil, errSkip
	case h.ListenErr != nil:
		return "", nil, h.ListenErr
	case h.PMErr != nil:
		return "", nil, h.PMErr
	}
	var findings []Finding
	remote := 0
	for _, l := range h.Listeners {
		if l.Addr().IsLoopback() {
			continue
		}
		remote++
		if l.Addr().IsUnspecified() || h.announcedListener(l) {
			continue
		}
		for _, e := range h.Endpoints {
			if e.Flags&pathmanager.Signal == 0 || e.Port != 0 || e.Addr.Is4() != l.Addr().Is4() ||
				h.byAddr(e.Addr) == nil || h.accepts(netip.AddrPortFrom(e.Addr, l.Port())) {
				continue
			}
			findings = append(findings, Finding{
				State:       Fault,
				Fault:       fmt.Sprintf("%v is announced, and what listens at %v does not listen there.", e.Addr, l),
				Consequence: fmt.Sprintf("Peers that try %v are refused: their connections have one path.", netip.AddrPortFrom(e.Addr, l.Port())),
				// The kernel itself listens at an endpoint that has a port.
				Fix: []Action{addEndpoint{pathmanager.Endpoint{Addr: e.Addr, Port: l.Port(), Flags: pathmanager.Signal}, ""}},
				Advice: fmt.Sprintf("Better: let the program listen at the wildcard address, \":%d\". The command has the kernel listen "+
					"for further subflows in its place; while that endpoint is there nothing can listen at the wildcard address.", l.Port()),
			})
		}
	}
	return fmt.Sprintf("%d that accept Multipath TCP from other hosts", remote), findings, nil
}

// accepts says whether some listener takes subflows that arrive at a.
func (h *Host) accepts(a netip.AddrPort) bool {
	if h.announcedListener(a) {
		return true
	}
	return slices.ContainsFunc(h.Listeners, func(l netip.AddrPort) bool {
		return l.Port() == a.Port() && (l.Addr() == a.Addr() ||
			l.Addr().IsUnspecified() && (l.Addr().Is6() || a.Addr().Is4()))
	})
}

// announcedListener says whether a is that of an endpoint with a port, where
// the kernel listens.
func (h *Host) announcedListener(a netip.AddrPort) bool {
	return slices.ContainsFunc(h.Endpoints, func(e pathmanager.Endpoint) bool {
		return e.Port == a.Port() && e.Addr == a.Addr()
	})
}

func checkJoinInitial(h *Host) (string, []Finding, error) {
	if h.sysctl("net.mptcp.allow_join_initial_addr_port") != "0" {
		return "", nil, errSkip
	}
	for _, e := range h.Endpoints {
		if e.Flags&pathmanager.Signal != 0 {
			return "off, and another address is announced", nil, nil
		}
	}
	if !slices.ContainsFunc(h.Listeners, func(l netip.AddrPort) bool { return !l.Addr().IsLoopback() }) {
		return "", nil, errSkip
	}
	return "off", []Finding{{
		State:       Fault,
		Fault:       "Clients are told not to open further subflows to the address that they have connected to, and no other is announced.",
		Consequence: "Every connection that this host accepts uses one path.",
		Fix:         []Action{setSysctl{"net.mptcp.allow_join_initial_addr_port", "1"}},
		Advice:      "Or, behind a load balancer that cannot keep the subflows of a connection together, announce an address of this host alone.",
	}}, nil
}

// skipIfOff leaves a check out on a host without Multipath TCP, of which
// checkEnabled has said what there is to say.
func skipIfOff(h *Host, err error) error {
	if h.off() && err != nil {
		return errSkip
	}
	if err == nil {
		return errors.New("not read")
	}
	return err
}
