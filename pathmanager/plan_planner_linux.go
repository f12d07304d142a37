package pathmanager

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// A planner collects the changes.
type planner struct {
	Config
	*snapshot
	own     owned // endpoints of ours, by what the rules say or the process knows
	outlook outlook
	plan    *Plan
	changes struct{ first, drop, add, last []Change }
}

func newPlanner(c Config, s *snapshot, own owned) *planner {
	p := &planner{Config: c, snapshot: s, own: make(owned), plan: &Plan{}}
	for _, r := range s.rules {
		if p.oursRule(r) && r.priority == p.Table+withEndpoint {
			p.own[r.from.Addr()] = mark{index: int(r.table - p.Table)}
		}
	}
	maps.Copy(p.own, own)
	return p
}

// adopt remembers which endpoints are ours, though another process may have made
// them.
func (p *planner) adopt(own owned) {
	for _, e := range p.endpoints {
		if p.oursEndpoint(e) {
			own[e.Addr] = mark{e.ID, e.IfIndex}
		}
	}
}

func (p *planner) oursRule(r rule) bool {
	return r.protocol == p.Protocol && !r.other && r.from.IsSingleIP() && r.priority >= p.Table && r.priority <= p.Table+withoutEndpoint
}

func (p *planner) oursRoute(r route) bool { return r.protocol == p.Protocol && r.table > p.Table }

func (p *planner) oursEndpoint(e Endpoint) bool { return p.own.is(e) }

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

// An outlook is what a plan depends on besides the configuration and what there
// is.
type outlook struct {
	all    bool                // the path that connections begin on gets an endpoint as well
	silent map[netip.Addr]bool // paths that come last: true for those that get no endpoint
	notes  []string
}

// plan compares.
func (k *kernel) plan(c Config, o outlook) (*Plan, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	s, err := k.snapshot()
	if err != nil {
		return nil, err
	}
	p := newPlanner(c, s, k.own)
	p.adopt(k.own)
	p.plan.Notes, p.outlook = o.notes, o
	if err := p.compare(); err != nil {
		return nil, err
	}
	return p.done(), nil
}

func (k *kernel) removal(c Config) (*Plan, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	s, err := k.snapshot()
	if err != nil {
		return nil, err
	}
	p := newPlanner(c, s, k.own)
	p.replace(wanted{})
	if before, after, memory := p.remembered(s); memory != nil {
		if s.limits.equal(after) {
			p.limitsTo(before)
		} else {
			p.note("the limits are left as they are: somebody else has changed them from %v to %v", after, s.limits)
		}
		for _, r := range memory {
			p.route(&p.changes.last, true, r)
		}
	}
	return p.done(), nil
}

func (p *planner) done() *Plan {
	p.plan.Changes = slices.Concat(p.changes.first, p.changes.drop, p.changes.add, p.changes.last)
	return p.plan
}
