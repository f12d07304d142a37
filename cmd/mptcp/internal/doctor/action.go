package doctor

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/multipath-go/mptcp/pathmanager"
)

// An Action is a change to this host. Its String is the command that a person
// would type; Apply does the same without any other program, but for nftables,
// where it starts nft. What it changes is gone after the next boot.
type Action interface {
	fmt.Stringer
	Apply() error
}

// setSysctl sets a kernel parameter.
type setSysctl struct{ name, value string }

func (a setSysctl) String() string { return "sysctl -w " + a.name + "=" + a.value }
func (a setSysctl) Apply() error   { return a.apply() }

// addEndpoint adds an endpoint.
type addEndpoint struct {
	endpoint pathmanager.Endpoint
	dev      string // of its IfIndex; empty: none
}

func (a addEndpoint) String() string {
	words := []string{"ip mptcp endpoint add", a.endpoint.Addr.String()}
	if a.endpoint.Port != 0 {
		words = append(words, "port", strconv.Itoa(int(a.endpoint.Port)))
	}
	if a.dev != "" {
		words = append(words, "dev", a.dev)
	}
	return strings.Join(append(words, a.endpoint.Flags.String()), " ")
}

func (a addEndpoint) Apply() error {
	return manage(func(c *pathmanager.Client) error { return c.AddEndpoint(a.endpoint) })
}

// deleteEndpoint deletes an endpoint.
type deleteEndpoint struct{ endpoint pathmanager.Endpoint }

func (a deleteEndpoint) String() string {
	return fmt.Sprintf("ip mptcp endpoint delete id %d", a.endpoint.ID)
}

func (a deleteEndpoint) Apply() error {
	return manage(func(c *pathmanager.Client) error { return c.DeleteEndpoint(a.endpoint) })
}

// setLimits sets both limits.
type setLimits struct{ subflows, addAddrAccepted uint32 }

func (a setLimits) String() string {
	return fmt.Sprintf("ip mptcp limits set subflows %d add_addr_accepted %d", a.subflows, a.addAddrAccepted)
}

func (a setLimits) Apply() error {
	return manage(func(c *pathmanager.Client) error {
		l, err := c.Limits() // what else there is stays as it is
		if err != nil {
			return err
		}
		l.Subflows, l.AddAddrAccepted = a.subflows, a.addAddrAccepted
		return c.SetLimits(l)
	})
}

func manage(f func(*pathmanager.Client) error) error {
	c, err := pathmanager.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// addRule sends what comes from an address to a routing table.
type addRule struct {
	from  netip.Addr
	table uint32
}

func (a addRule) String() string {
	return fmt.Sprintf("ip %srule add from %v table %d", six(a.from), a.from, a.table)
}

func (a addRule) Apply() error { return a.apply() }

// addRoute adds a route.
type addRoute struct {
	dst     netip.Prefix // the zero one: default
	gateway netip.Addr   // unspecified: none
	dev     string
	index   int
	src     netip.Addr // preferred; the zero one: none
	table   uint32     // zero: the main one
}

func (a addRoute) String() string {
	dst := "default"
	if a.dst.IsValid() {
		dst = a.dst.String()
		if a.dst.IsSingleIP() {
			dst = a.dst.Addr().String()
		}
	}
	s := fmt.Sprintf("ip %sroute add %s", six(a.gateway), dst)
	if !a.gateway.IsUnspecified() {
		s += " via " + a.gateway.String()
	}
	s += " dev " + a.dev
	if a.src.IsValid() {
		s += " src " + a.src.String()
	}
	if a.table != 0 {
		s += fmt.Sprintf(" table %d", a.table)
	}
	return s
}

func (a addRoute) Apply() error { return a.apply() }

// six is the option of ip(8) for IPv6.
func six(a netip.Addr) string {
	if a.Is6() {
		return "-6 "
	}
	return ""
}

// deleteFirewallRule deletes an nftables rule.
type deleteFirewallRule struct{ rule FirewallRule }

func (a deleteFirewallRule) String() string { return "nft " + strings.Join(a.args(), " ") }

func (a deleteFirewallRule) args() []string {
	r := a.rule
	return []string{"delete", "rule", r.Family, r.Table, r.Chain, "handle", strconv.FormatUint(r.Handle, 10)}
}

func (a deleteFirewallRule) Apply() error { return a.apply() }
