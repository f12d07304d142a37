package pathmanager

import (
	"fmt"
	"net/netip"
	"strings"
)

// change completes a change with its texts, for something that can be added and
// removed, and puts it on a list.
func (p *planner) change(list *[]Change, remove bool, c Change, text, add, del string) {
	c.Action, c.Text, c.Command = Add, "add "+text, add
	if remove {
		c.Action, c.Text, c.Command = Remove, "remove "+text, del
	}
	*list = append(*list, c)
}

// only is the prefix of a single address.
func only(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (p *planner) name(index int) string {
	if l, ok := p.links[index]; ok {
		return l.name
	}
	return fmt.Sprint("if", index)
}

func (p *planner) endpointText(e Endpoint) string {
	parts := []string{e.Addr.String()}
	if e.IfIndex != 0 {
		parts = append(parts, "dev "+p.name(e.IfIndex))
	}
	if e.Port != 0 {
		parts = append(parts, fmt.Sprint("port ", e.Port))
	}
	return strings.Join(append(parts, e.Flags.String()), " ")
}

func (p *planner) endpoint(list *[]Change, remove bool, e Endpoint) {
	text := p.endpointText(e)
	p.change(list, remove, Change{Object: ObjectEndpoint, Endpoint: e, Prefix: only(e.Addr), step: toggle{remove, e}},
		"endpoint "+text, "ip mptcp endpoint add "+text, fmt.Sprint("ip mptcp endpoint delete id ", e.ID))
}

// closeFirst closes the first subflows from the address of a path that is gone, of
// connections that began when it had no endpoint: removing that closes others.
func (p *planner) closeFirst(list *[]Change, e Endpoint) {
	if !p.outlook.all {
		return // nobody knows that the path is gone
	}
	*list = append(*list, Change{
		Action: Remove, Object: ObjectSubflow, Prefix: only(e.Addr),
		Text:    fmt.Sprintf("close first subflows from %v", e.Addr),
		Command: fmt.Sprintf("ip mptcp endpoint delete id 0 %v", e.Addr),
		step:    firstStep(e.Addr),
	})
}

func (p *planner) rule(list *[]Change, remove bool, r rule) {
	ip, text := "ip rule", r.text()
	if r.v6 {
		ip = "ip -6 rule"
	}
	proto := fmt.Sprint(" protocol ", r.protocol)
	p.change(list, remove, Change{Object: ObjectRule, Prefix: r.from, Table: r.table, step: toggle{remove, r}},
		"rule "+text, ip+" add "+text+proto, ip+" delete "+text+proto)
}

func (p *planner) route(list *[]Change, remove bool, r route) {
	ip, text := "ip route", r.text(p.name(r.index))
	if r.dst.Addr().Is6() {
		ip = "ip -6 route"
	}
	proto := fmt.Sprint(" proto ", r.protocol)
	p.change(list, remove, Change{Object: ObjectRoute, Prefix: r.dst, Table: r.table, step: toggle{remove, r}},
		"route "+text, ip+" add "+text+proto, ip+" delete "+text+proto)
}

func (p *planner) flags(before, after Endpoint) {
	option := Backup.String()
	if after.Flags&Backup == 0 {
		option = "no" + option
	}
	p.changes.add = append(p.changes.add, Change{
		Action: Modify, Object: ObjectEndpoint, Endpoint: after, Prefix: only(after.Addr),
		Text:    fmt.Sprintf("change endpoint %s: now %v", p.endpointText(before), after.Flags),
		Command: fmt.Sprintf("ip mptcp endpoint change id %d %s", before.ID, option),
		step:    flagsStep{before, after},
	})
}
