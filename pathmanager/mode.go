package pathmanager

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// Mode says how the paths of a host are used together. On Linux that is all a
// matter of which subflows there are, and which of them are backups: the
// scheduler then sends by that of the others which will deliver soonest.
type Mode uint8

// The modes.
const (
	// Handover keeps all data on one path, that of the main routing table's
	// first default route, and holds the others ready as backups.
	Handover Mode = iota

	// Interactive has one subflow on each path. Data goes by that which will have
	// sent soonest what waits on it, so that bulk data fills them all. Of those on
	// which nothing waits Linux takes the one that a connection began with, whatever
	// its round trip: where small requests should go by another path, the first one
	// is to be named in Config.Costly.
	Interactive

	// Aggregate is Interactive, and has subflows from each endpoint to each
	// address that the peer announces as well, as many as the kernel allows.
	Aggregate
)

var modeNames = [...]string{"handover", "interactive", "aggregate"}

// String returns the name of the mode: "handover", "interactive" or
// "aggregate".
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// MarshalText returns the bytes of String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("pathmanager: mode %q: not one of %s", text, strings.Join(modeNames[:], ", "))
}

// Config says how the paths of a host are to be used. The zero value is the
// [Handover] between all of them. It is put into effect once by [Config.Plan]
// and [Plan.Apply], or kept in effect by a [Manager].
//
// A path is an interface with an address: one of IPv4 and one of IPv6 where it
// has both. Each gets
//
//   - an endpoint that is bound to the interface: "subflow", and "backup" and
//     "fullmesh" as the mode wants; or "signal" if Announce is set. The path of
//     the main table's default route gets one only with Aggregate or from a
//     Manager: connections begin there, and whoever removes its endpoint takes
//     that away from them,
//   - a routing table of its own, with what is on the link, and a default route
//     by the interface's gateway,
//   - rules that send what comes from the address to that table. More specific
//     routes of the main table come first, unless they lead to another path: a
//     container's network or a VPN's stays reachable from all addresses.
//
// The limits are raised as far as that takes, and never lowered: to one
// subflow for each path, and 8 with Aggregate and Announce. What the peer
// announces is connected to with Aggregate, from each endpoint. Otherwise Linux
// would connect by whatever path the main table prefers, and never as a backup.
//
// Linux has room for eight endpoints, before Linux 7. If there are more paths,
// those with the worst metrics are left out.
//
// Endpoints, rules and routes that others have made are not touched. An address
// for which somebody else has made an endpoint gets its table and rules, but keeps
// that endpoint, and the plan has a note of it.
type Config struct {
	Mode Mode

	// Paths are the interfaces and addresses that take part: names of
	// interfaces, patterns of them as in [path.Match] such as "wwan*",
	// addresses, and prefixes of addresses.
	//
	// Empty: every interface that a default route leads to, other than tunnels
	// (they run over the paths themselves), and members of a bridge or bond
	// (which is what takes part). So bridges of containers and virtual machines
	// have no part in it, nor have the veth interfaces that are plugged into
	// them; the one inside a container has.
	//
	// In any case the interface must be up and running, and the address of
	// global scope and neither deprecated nor still being checked.
	Paths []string

	// Costly are those paths, in the same form, that carry data only when no
	// other can, whatever the mode and the metrics.
	Costly []string

	// Announce is for servers: the addresses are announced to the peers, which
	// open the subflows, instead of opening subflows to them.
	Announce bool

	// Table is the base of a range of numbers that nobody else uses: that of
	// the interface with index i is the table Table+i, the rules have the
	// priorities Table to Table+3, and the table Table remembers the limits.
	// At most 32000; zero is 7100.
	Table uint32

	// Protocol marks the rules and routes as those of this package, and is how
	// they are found again (rtm_protocol of linux/rtnetlink.h). Two managers of
	// one network namespace need different ones. Above 4; zero is 130.
	Protocol uint8
}

const (
	defaultTable    = 7100
	defaultProtocol = 130 // not in iproute2's rt_protos

	maxTable       = 32000 // rules must come before that of the main table, 32766
	minTable       = 256   // the others are the kernel's
	staticProtocol = 4     // RTPROT_STATIC: up to here they are the kernel's and the administrator's
	maxEndpoints   = 8     // MPTCP_PM_ADDR_MAX
	maxSubflows    = 8     // MPTCP_SUBFLOWS_MAX
)

// checked returns the configuration with the defaults filled in.
func (c Config) checked() (Config, error) {
	if c.Table == 0 {
		c.Table = defaultTable
	}
	if c.Protocol == 0 {
		c.Protocol = defaultProtocol
	}
	switch {
	case int(c.Mode) >= len(modeNames):
		return c, fmt.Errorf("pathmanager: there is no %v", c.Mode)
	case c.Table < minTable || c.Table > maxTable:
		return c, fmt.Errorf("pathmanager: Config.Table %d: not between %d and %d", c.Table, minTable, maxTable)
	case c.Protocol <= staticProtocol:
		return c, fmt.Errorf("pathmanager: Config.Protocol %d: up to %d they are the kernel's and the administrator's",
			c.Protocol, staticProtocol)
	}
	for _, names := range [][]string{c.Paths, c.Costly} {
		for _, name := range names {
			if _, err := path.Match(name, ""); err != nil || name == "" {
				return c, fmt.Errorf("pathmanager: path %q: not the name of an interface, a pattern, an address or a prefix", name)
			}
		}
	}
	return c, nil
}

// named says whether an interface, or an address of it, is on a list.
func named(list []string, ifc string, a netip.Addr) bool {
	for _, name := range list {
		if x, err := netip.ParseAddr(name); err == nil {
			if x.Unmap() == a {
				return true
			}
		} else if p, err := netip.ParsePrefix(name); err == nil {
			if p.Contains(a) {
				return true
			}
		} else if ok, _ := path.Match(name, ifc); ok {
			return true
		}
	}
	return false
}

// flags of an endpoint. The rank counts from the best path of its family on.
func (c Config) flags(rank int, costly bool) Flags {
	f := Subflow
	if c.Announce {
		f = Signal
	}
	if costly || c.Mode == Handover && rank > 0 {
		f |= Backup
	}
	if c.Mode == Aggregate && !c.Announce { // the kernel refuses signal with fullmesh
		f |= Fullmesh
	}
	return f
}

// limitsFor are what the mode takes for a number of paths, given what there is.
func (c Config) limitsFor(now Limits, paths int) Limits {
	subflows, accepted := uint32(paths), uint32(0)
	if c.Announce || c.Mode == Aggregate {
		subflows = maxSubflows
	}
	if c.Mode == Aggregate && !c.Announce {
		accepted = maxSubflows
	}
	now.Subflows = max(now.Subflows, min(subflows, maxSubflows))
	now.AddAddrAccepted = max(now.AddAddrAccepted, accepted)
	return now
}
