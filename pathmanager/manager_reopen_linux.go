package pathmanager

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// mend opens the subflows again that are due. That they are missing is what
// events have said; whether it is so, the sockets say.
func (r *keeper) mend(now time.Time) {
	pairs := r.repair.due(now)
	if len(pairs) == 0 && !r.repair.survey {
		return
	}
	all, err := r.sockets.list()
	if err != nil {
		r.repair.survey = false // it is no use: there is no inet_diag
		r.log.Warn("mptcp: reopening subflows", "error", err)
		return
	}
	if r.repair.survey {
		r.repair.lookAtAll(all, r.k.own, now)
	}
	lost := make(map[netip.Addr]map[pair]bool)
	for _, p := range r.repair.look(pairs, all, r.k.own) {
		if lost[p.local] == nil {
			lost[p.local] = make(map[pair]bool)
		}
		lost[p.local][p] = true
	}
	for a, pairs := range lost {
		if err := r.reopen(a, pairs, all, now); err != nil {
			r.log.Warn("mptcp: reopening subflows", "error", err)
		}
	}
}

// reopen makes connections open subflows from an address again, and takes none
// away from any.
//
// Linux opens no second subflow from an endpoint that a connection has used. To
// delete it and add it again would close the subflows that all others have from
// it, and those of them that have no other, and whose peers let nobody join,
// would be lost. So it is done by [Client.anywhere].
//
// Connections that lack nothing get a second subflow by it, if the limits let
// them. It is closed as soon as it is established: see [keeper.spare].
func (r *keeper) reopen(a netip.Addr, lost map[pair]bool, all []socket, now time.Time) error {
	endpoints, err := r.k.pm.Endpoints()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Addr == a && r.k.own.is(e) })
	if i < 0 {
		r.recheck = time.Time{} // somebody has taken it away
		return nil
	}
	e := endpoints[i]
	if e.Flags&Subflow == 0 {
		for p := range lost {
			r.repair.forget(p)
		}
		return nil
	}
	r.log.Info(fmt.Sprintf("mptcp: reopen the subflows from %v", a), "subflows", len(lost))
	if r.spares == nil {
		r.spares = make(map[netip.Addr]*spares)
	}
	r.spares[a] = newSpares(e, all, now)
	// With fullmesh Linux takes the peer's addresses from the subflows, and of a
	// first one that is closed a port of zero.
	if whole := e; e.Flags&Fullmesh != 0 {
		e.Flags &^= Fullmesh
		if err := r.k.pm.anywhere(e); err != nil {
			return err
		}
		e = whole
	}
	return r.k.pm.anywhere(e)
}

// spares knows which subflows that come after an endpoint was reopened nobody
// needs.
type spares struct {
	e     Endpoint
	until time.Time
	ports map[pair]map[uint16]bool // of the subflows that are established
}

const spareTime = 10 * time.Second // in which a handshake ends

func newSpares(e Endpoint, all []socket, now time.Time) *spares {
	s := &spares{e: e, until: now.Add(spareTime), ports: make(map[pair]map[uint16]bool)}
	for _, x := range all {
		if x.established && x.local.Addr() == e.Addr {
			s.add(x.pair(), x.local.Port())
		}
	}
	return s
}

// add returns how many subflows there are between the addresses now.
func (s *spares) add(p pair, port uint16) int {
	if s.ports[p] == nil {
		s.ports[p] = make(map[uint16]bool)
	}
	s.ports[p][port] = true
	return len(s.ports[p])
}

// event says whether it is about the second subflow between the same addresses
// of a connection, or one from another address of the interface.
func (s *spares) event(e Event) bool {
	p := pair{e.Token, e.Local.Addr().Unmap(), e.Remote.Addr().Unmap()}
	if e.IfIndex != s.e.IfIndex || p.local.Is6() != s.e.Addr.Is6() {
		return false
	}
	switch e.Type {
	case EventSubflowEstablished:
		return s.add(p, e.Local.Port()) > 1 || p.local != s.e.Addr
	case EventSubflowClosed:
		delete(s.ports[p], e.Local.Port())
	}
	return false
}

// spare closes what has come by reopening an endpoint and is not needed.
func (r *keeper) spare(e Event, now time.Time) {
	for a, s := range r.spares {
		if now.After(s.until) {
			delete(r.spares, a)
			continue
		}
		if !s.event(e) {
			continue
		}
		if err := r.sockets.destroy(e); err != nil {
			delete(r.spares, a) // nor can be the others
			r.log.Warn("mptcp: closing second subflows", "error", err)
		}
	}
}

// anywhere has connections open subflows by the interface of an endpoint, with
// its flags. To Linux, "any address" is an endpoint that they have not used yet;
// the address, and then the identifier, are those of the route. When it is
// deleted nothing is closed, since no subflow comes from that address.
func (c *Client) anywhere(e Endpoint) error {
	e = Endpoint{Addr: wildcard(e.Addr.Is6()), IfIndex: e.IfIndex, Flags: e.Flags}
	if err := c.AddEndpoint(e); err != nil {
		return err
	}
	endpoints, err := c.Endpoints()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(endpoints, func(x Endpoint) bool { return x.Addr == e.Addr && x.IfIndex == e.IfIndex })
	if i < 0 {
		return nil // somebody else has deleted all
	}
	return c.DeleteEndpoint(endpoints[i])
}

func wildcard(v6 bool) netip.Addr {
	if v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
