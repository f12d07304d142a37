package pathmanager

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
)

// Path is an address of an interface that takes part.
type Path struct {
	Interface string
	Index     int // of the interface
	Addr      netip.Addr
	Gateway   netip.Addr // invalid where there is none, as on a point-to-point link
	Metric    uint32     // of the default route: lower is preferred
	Table     uint32     // the routing table for what comes from Addr
	Flags     Flags      // of its endpoint; zero: it needs none, or has somebody else's
}

// Plan is what would be done to a network namespace. It is made by [Config.Plan]
// and [Config.Removal], shown by [Plan.String] and done by [Plan.Apply].
type Plan struct {
	Paths   []Path   // that take part, those of IPv4 first, the better ones before the others
	Changes []Change // in this order; none: all is as it should be
	Notes   []string // what a person should know: what was left alone, and why

	ns *os.File
}

// Change is one step of a [Plan].
type Change struct {
	Action Action
	Object Object

	Endpoint Endpoint     // of an ObjectEndpoint: as it is to be, or was
	Limits   Limits       // of ObjectLimits: as they are to be
	Prefix   netip.Prefix // an endpoint's address, a rule's source, a route's destination, an address whose subflows are meant
	Table    uint32       // that a rule leads to, or a route is in

	Text    string // such as "add endpoint 10.2.0.1 dev lte subflow backup"
	Command string // that does the same by hand, such as "ip mptcp endpoint add 10.2.0.1 dev lte subflow backup"

	step step
}

// Action is what a [Change] does.
type Action uint8

// The actions.
const (
	Add Action = iota + 1
	Remove
	Modify
)

// String returns "add", "remove" or "modify".
func (a Action) String() string { return nameOf(uint8(a), "action", "add", "remove", "modify") }

// MarshalText returns the bytes of String.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Object is what a [Change] is about.
type Object uint8

// The objects.
const (
	ObjectEndpoint Object = iota + 1
	ObjectLimits
	ObjectRule
	ObjectRoute

	// ObjectSubflow are subflows of connections that are there, which do not
	// follow from an endpoint that comes or goes.
	ObjectSubflow
)

// String returns "endpoint", "limits", "rule", "route" or "subflow".
func (o Object) String() string {
	return nameOf(uint8(o), "object", "endpoint", "limits", "rule", "route", "subflow")
}

// MarshalText returns the bytes of String.
func (o Object) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// nameOf is the name of a number that counts from one.
func nameOf(n uint8, what string, names ...string) string {
	if n > 0 && int(n) <= len(names) {
		return names[n-1]
	}
	return fmt.Sprintf("%s-%d", what, n)
}

// String returns the text.
func (c Change) String() string { return c.Text }

// String lists the changes, one in a line with the command that does the same,
// and the notes. It is for people: programs should look at the fields.
func (p *Plan) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	for _, c := range p.Changes {
		fmt.Fprintf(w, "%s\t%s\n", c.Text, c.Command)
	}
	w.Flush()
	if len(p.Changes) == 0 {
		b.WriteString("nothing to change\n")
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// Plan compares the network namespace that the calling thread is in with what
// the configuration wants, and says what to change. It changes nothing, needs no
// privilege, and costs about a millisecond, more where routing tables are long.
//
// What an earlier plan has done, in this process or another, is known by the
// rules and routes with [Config.Protocol], and by what stands in them: an
// endpoint is ours if our rules are there for its address, and the limits that
// were found at first are the metric of a route in a table that no rule leads
// to. So there is no file that could be lost or outlive a reboot, and a plan for
// another Config changes what the former one has made.
//
// The error says what is missing if the kernel has no Multipath TCP (it matches
// [errors.ErrUnsupported]), the sysctl net.mptcp.enabled is 0, or new
// connections are not the kernel's to manage (net.mptcp.path_manager,
// net.mptcp.pm_type).
func (c Config) Plan() (*Plan, error) { return c.plan(nil) }

// PlanIn is [Config.Plan] for another network namespace, as in [DialIn]. The
// file must be open for [Plan.Apply].
func (c Config) PlanIn(ns *os.File) (*Plan, error) {
	if ns == nil {
		return nil, os.ErrInvalid
	}
	return c.plan(ns)
}

// Removal is a plan to undo what has been done for this Config, or any other
// with the same Table and Protocol: then endpoints, limits, rules and routes are
// what they were before the first plan. Limits that somebody else has changed
// since are left as they are, and so is an endpoint whose rules somebody has
// flushed.
//
// Connections lose their subflows from the endpoints that go. Those that began on
// the first path keep that one, unless it has an endpoint, from a [Manager] or with
// [Aggregate]. One that is left without a subflow gets an error after the sysctl
// net.mptcp.close_timeout, 60 s.
func (c Config) Removal() (*Plan, error) { return c.removal(nil) }

// RemovalIn is [Config.Removal] for another network namespace, as in [DialIn].
func (c Config) RemovalIn(ns *os.File) (*Plan, error) {
	if ns == nil {
		return nil, os.ErrInvalid
	}
	return c.removal(ns)
}

// Apply does what the plan says, in the network namespace that it was made for:
// for a plan of [Config.Plan] that is the one of the calling thread. If a step
// fails, those before it are undone, and the error names the step. It needs
// CAP_NET_ADMIN in the user namespace that owns the network namespace.
//
// A plan is for the moment: apply it once, and soon. If in the meantime somebody
// else has changed what it is about, a step fails.
//
// Existing connections get their new subflows at once, but for those whose
// handshake is under way: Linux passes over them, and only a [Manager] notices.
func (p *Plan) Apply() error { return p.apply() }
