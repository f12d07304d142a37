package mptcptest

import (
	"net/netip"
	"strings"

	"github.com/multipath-go/mptcp/pathmanager"
)

// EndpointFlags say what the path manager does with an endpoint.
type EndpointFlags uint32

// The flags of ip-mptcp(8).
const (
	Signal   = EndpointFlags(pathmanager.Signal)   // announce the address to the peer
	Subflow  = EndpointFlags(pathmanager.Subflow)  // open a subflow from the address
	Backup   = EndpointFlags(pathmanager.Backup)   // that carries data only when no other can
	Fullmesh = EndpointFlags(pathmanager.Fullmesh) // to every address of the peer
	Laminar  = EndpointFlags(pathmanager.Laminar)  // to connect to announced addresses from, Linux 6.18
)

// String names the flags as ip-mptcp(8) does.
func (f EndpointFlags) String() string {
	var names []string
	for _, n := range []struct {
		bit  EndpointFlags
		name string
	}{{Signal, "signal"}, {Subflow, "subflow"}, {Backup, "backup"}, {Fullmesh, "fullmesh"}, {Laminar, "laminar"}} {
		if f&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, " ")
}

// AddEndpoint makes an address an endpoint of the host's path manager. Existing
// connections use it at once.
func (h *Host) AddEndpoint(a netip.Addr, flags EndpointFlags) {
	h.net.t.Helper()
	h.pathManager(func(c *pathmanager.Client) error {
		return c.AddEndpoint(pathmanager.Endpoint{Addr: a, Flags: pathmanager.Flags(flags)})
	})
	h.net.configured("%s: endpoint %v %v", h.name, a, flags)
}

// SetEndpoint changes the flags [Backup] and [Fullmesh] of an endpoint, and of
// the subflows that use it.
func (h *Host) SetEndpoint(a netip.Addr, flags EndpointFlags) {
	h.net.t.Helper()
	h.pathManager(func(c *pathmanager.Client) error {
		return c.SetFlags(pathmanager.Endpoint{Addr: a, Flags: pathmanager.Flags(flags)})
	})
	h.net.configured("%s: endpoint %v now %v", h.name, a, flags)
}

// RemoveEndpoint undoes [Host.AddEndpoint]: connections lose the subflows that
// use the address.
func (h *Host) RemoveEndpoint(a netip.Addr) {
	h.net.t.Helper()
	h.pathManager(func(c *pathmanager.Client) error {
		all, err := c.Endpoints()
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.Addr == a {
				return c.DeleteEndpoint(e)
			}
		}
		return c.DeleteEndpoint(pathmanager.Endpoint{Addr: a})
	})
	h.net.configured("%s: endpoint %v removed", h.name, a)
}

// SetLimits limits every connection of the host: subflows besides the first,
// and how many of the addresses that the peer announces are connected to. Linux
// starts with 2 and 0.
func (h *Host) SetLimits(subflows, addAddrAccepted int) {
	h.net.t.Helper()
	h.pathManager(func(c *pathmanager.Client) error {
		return c.SetLimits(pathmanager.Limits{Subflows: uint32(subflows), AddAddrAccepted: uint32(addAddrAccepted)})
	})
	h.net.configured("%s: limits: %d subflows, %d announced addresses", h.name, subflows, addAddrAccepted)
}

// Limits reads what [Host.SetLimits] sets.
func (h *Host) Limits() (subflows, addAddrAccepted int) {
	h.net.t.Helper()
	var l pathmanager.Limits
	h.pathManager(func(c *pathmanager.Client) (err error) {
		l, err = c.Limits()
		return err
	})
	return int(l.Subflows), int(l.AddAddrAccepted)
}

func (h *Host) pathManager(f func(*pathmanager.Client) error) {
	h.net.t.Helper()
	var err error
	h.Do(func() {
		var c *pathmanager.Client
		if c, err = pathmanager.Dial(); err == nil {
			err = f(c)
			c.Close()
		}
	})
	if err != nil {
		h.net.t.Fatalf("mptcptest: host %s: path manager: %v", h.name, err)
	}
}
