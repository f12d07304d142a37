package pathmanager

import "net/netip"

// owned are the endpoints that are ours, by their addresses. A process knows its
// own even when somebody has flushed the rules that say so.
type owned map[netip.Addr]mark

// A mark tells an endpoint from one that somebody else has made for the same
// address.
type mark struct {
	id    uint8 // zero: made by another process, any will do
	index int   // of the interface
}

func (o owned) has(a netip.Addr) bool {
	_, ok := o[a]
	return ok
}

// is says whether an endpoint is one of these.
func (o owned) is(e Endpoint) bool {
	m, ok := o[e.Addr]
	return ok && e.Flags&Implicit == 0 && e.Port == 0 && e.IfIndex == m.index && (m.id == 0 || m.id == e.ID)
}
