package doctor

import (
	"net/netip"
	"slices"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/pathmanager"
)

// Host is what was read of this host. An error beside a field says why that
// could not be read.
type Host struct {
	Kernel  string            // its release
	Probe   error             // of mptcp.Probe
	Sysctls map[string]string // those that some check reads, if they are there

	Endpoints   []pathmanager.Endpoint
	Limits      pathmanager.Limits
	PMErr       error
	Daemon      bool // some process listens to the events of the path manager
	DaemonErr   error
	Interfaces  []Interface
	Ways        []Way // one for each address of an interface that matters
	Loopback    mptcp.Status
	LoopbackErr error
	Listeners   []netip.AddrPort // that accept Multipath TCP
	ListenErr   error
	Rules       []FirewallRule
	FirewallErr error
	Counters    mptcp.Counters
	CountersErr error
	Target      *Target // nil if none was given

	faults bool // some check has found one
}

// Interface is a network interface that is up.
type Interface struct {
	Index        int
	Name         string
	Addrs        []netip.Addr // global unicast ones
	PointToPoint bool
	Aside        bool // a tunnel, or a member of a bridge or bond: no path of its own
	// Gateways lead out by default; the unspecified address is a default route
	// without one. They are of the routing tables of GatewayTables.
	Gateways      []netip.Addr
	GatewayTables []uint32
	ReversePath   int // effective rp_filter, 0 to 2; IPv4 only
}

// gateway is the one of an address family, and the routing table of its own
// that has a default route by it, or zero.
func (i *Interface) gateway(v4 bool) (gw netip.Addr, table uint32) {
	for n, g := range i.Gateways {
		if g.Is4() != v4 {
			continue
		}
		if !gw.IsValid() {
			gw = g
		}
		if t := i.GatewayTables[n]; t != tableMain && t != tableDefault && table == 0 {
			gw, table = g, t
		}
	}
	return gw, table
}

// Numbers of linux/rtnetlink.h.
const (
	tableDefault = 253
	tableMain    = 254
)

// Way is how packets leave that come from an address.
type Way struct {
	Addr    netip.Addr
	Dst     netip.Addr // to where
	Leaves  string     // by which interface; empty: by none
	Bound   bool       // whether they find a way if the socket is bound to the address's interface
	Primary bool       // what connections come from that do not say where from
}

// FirewallRule is an nftables rule that looks at the Multipath TCP option and
// then drops, refuses, or takes the option away.
type FirewallRule struct {
	Family, Table, Chain string
	Handle               uint64
	Does                 string // "drop", "reject" or "strip"
}

func (h *Host) sysctl(name string) string { return h.Sysctls[name] }

// userspace says whether new connections are the business of a daemon.
func (h *Host) userspace() bool {
	return h.sysctl("net.mptcp.path_manager") == "userspace" || h.sysctl("net.mptcp.pm_type") == "1"
}

// off says whether there is no Multipath TCP at all.
func (h *Host) off() bool { return h.Probe != nil }

func (h *Host) byAddr(a netip.Addr) *Interface {
	for i := range h.Interfaces {
		if slices.Contains(h.Interfaces[i].Addrs, a) {
			return &h.Interfaces[i]
		}
	}
	return nil
}

func (h *Host) byIndex(n int) *Interface {
	for i := range h.Interfaces {
		if h.Interfaces[i].Index == n {
			return &h.Interfaces[i]
		}
	}
	return nil
}

func (h *Host) way(a netip.Addr) *Way {
	for i := range h.Ways {
		if h.Ways[i].Addr == a {
			return &h.Ways[i]
		}
	}
	return nil
}

// primary is the address of a family that connections come from by default, or
// the zero Addr.
func (h *Host) primary(v4 bool) netip.Addr {
	for _, w := range h.Ways {
		if w.Primary && w.Addr.Is4() == v4 {
			return w.Addr
		}
	}
	return netip.Addr{}
}

// uplink is an address behind which there is a way out.
type uplink struct {
	addr netip.Addr
	ifc  *Interface
}

// uplinks lists one address for each interface with a way out, of one family,
// the primary one first.
func (h *Host) uplinks(v4 bool) []uplink {
	primary := h.primary(v4)
	var all []uplink
	for i := range h.Interfaces {
		ifc := &h.Interfaces[i]
		if gw, _ := ifc.gateway(v4); !gw.IsValid() || ifc.Aside {
			continue
		}
		var of []netip.Addr
		for _, a := range ifc.Addrs {
			if a.Is4() == v4 {
				of = append(of, a)
			}
		}
		if len(of) == 0 {
			continue
		}
		u := uplink{of[0], ifc}
		for _, a := range of {
			if a == primary || h.endpoint(a) != nil && u.addr != primary {
				u.addr = a
			}
		}
		if u.addr == primary {
			all = slices.Insert(all, 0, u)
		} else {
			all = append(all, u)
		}
	}
	return all
}

func (h *Host) endpoint(a netip.Addr) *pathmanager.Endpoint {
	for i := range h.Endpoints {
		if h.Endpoints[i].Addr == a && h.Endpoints[i].Flags&pathmanager.Implicit == 0 {
			return &h.Endpoints[i]
		}
	}
	return nil
}

// others are the endpoints from which further subflows are opened beside a
// first one of the family.
func (h *Host) others(v4 bool) []pathmanager.Endpoint {
	var all []pathmanager.Endpoint
	for _, e := range h.Endpoints {
		if e.Flags&(pathmanager.Subflow|pathmanager.Laminar) != 0 && e.Addr.Is4() == v4 &&
			e.Addr != h.primary(v4) && h.byAddr(e.Addr) != nil {
			all = append(all, e)
		}
	}
	return all
}

// Target is what was seen of the destination that the user has named.
type Target struct {
	Name     string         `json:"name"` // as given
	Addr     netip.AddrPort `json:"address"`
	TCP      Try            `json:"tcp"`
	Main     Try            `json:"mptcp"`                // Multipath TCP by the primary path
	Others   []Try          `json:"others,omitempty"`     // the same from other addresses, if the first did not do
	OtherTCP []Try          `json:"others_tcp,omitempty"` // TCP from them
	Missing  []netip.Addr   `json:"missing,omitempty"`    // endpoints that did not join
	Expected []netip.Addr   `json:"-"`                    // those that should
	Answered uint64         `json:"joins_answered"`       // further subflows that the peer has answered
	AddAddrs uint64         `json:"announced"`            // addresses that the peer has announced meanwhile
	// Finished says that the peer has closed the connection before anything could
	// be said of further subflows.
	Finished bool `json:"finished,omitempty"`
	// Reset says that the connection by Multipath TCP has ended after the first
	// data, and that one by TCP does not.
	Reset bool `json:"reset_at_data,omitempty"`
	// Established is how many of the subflows can carry data.
	Established int       `json:"established"`
	Subflows    []Subflow `json:"subflows,omitempty"` // of the connection by the primary path
}

// Subflow is one of a connection.
type Subflow struct {
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	State  string         `json:"state"`
	RTT    time.Duration  `json:"rtt_ns"`
}

// Try is one attempt to connect.
type Try struct {
	From   netip.Addr    `json:"from"`
	Dev    string        `json:"dev"`
	Took   time.Duration `json:"took_ns"`
	Status mptcp.Status  `json:"-"`
	State  string        `json:"state"` // of the connection; empty if there was none
	Err    string        `json:"error,omitempty"`
	err    error
	closed bool // from elsewhere, while it was looked at
}

func (t Try) multipath() bool { return t.err == nil && t.Status.State == mptcp.Multipath }

// passes says whether Multipath TCP gets through where t has tried it.
func (t *Target) passes(x Try) bool { return x.multipath() && !(t.Reset && x.closed) }
