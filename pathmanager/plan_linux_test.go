package pathmanager_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// A phone has two links to a server, and nothing in its namespace but what a
// host has of itself: addresses, and default routes in the main table.
type phone struct {
	*mptcptest.Host
	t         *testing.T
	lab       *mptcptest.Network
	server    *mptcptest.Host
	wifi, lte *mptcptest.Link
}

func newPhone(t *testing.T, wifi, lte mptcptest.LinkConfig) *phone {
	t.Helper()
	lab := mptcptest.New(t)
	p := &phone{Host: lab.Host("phone"), t: t, lab: lab, server: lab.Host("server")}
	wifi.Name, lte.Name = "wifi", "lte"
	p.wifi, p.lte = lab.Link(p.Host, p.server, wifi), lab.Link(p.Host, p.server, lte)
	p.forget()
	return p
}

// forget takes away the rules and tables that the laboratory has made.
func (p *phone) forget() {
	p.t.Helper()
	for _, family := range []string{"-4", "-6"} {
		for range 2 {
			p.ip(family, "rule", "del", "pref", "1000")
		}
	}
	p.flush()
}

// flush takes away the tables, which the laboratory makes whenever it restores
// a link.
func (p *phone) flush() {
	p.t.Helper()
	for _, family := range []string{"-4", "-6"} {
		for _, table := range []string{"1001", "1002"} {
			p.ip(family, "route", "flush", "table", table)
		}
	}
}

// ip runs ip(8) in the host.
func (p *phone) ip(args ...string) string {
	p.t.Helper()
	return p.output(p.Host, "ip", args...)
}

// run runs a command on the host, in a process that begins there: one of
// [mptcptest.Host.Command] begins as this test once more, which takes longer than
// most programs.
func run(h *mptcptest.Host, cmd *exec.Cmd) (out []byte, err error) {
	h.Do(func() { out, err = cmd.CombinedOutput() })
	return out, err
}

// output is what a program prints that is run on the host.
func (p *phone) output(h *mptcptest.Host, name string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	out, err := run(h, cmd)
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// state is all that a plan may change, as ip(8) prints it.
func (p *phone) state() string {
	p.t.Helper()
	var b strings.Builder
	for _, args := range []string{
		"mptcp endpoint show", "mptcp limits show", "rule", "-6 rule", "route show table all", "-6 route show table all",
	} {
		b.WriteString("# ip " + args + "\n" + p.ip(strings.Fields(args)...))
	}
	return b.String()
}

func (p *phone) plan(c pathmanager.Config) *pathmanager.Plan {
	p.t.Helper()
	var plan *pathmanager.Plan
	var err error
	p.Do(func() { plan, err = c.Plan() })
	if err != nil {
		p.t.Fatal(err)
	}
	return plan
}

func (p *phone) apply(plan *pathmanager.Plan) {
	p.t.Helper()
	var err error
	p.Do(func() { err = plan.Apply() })
	if err != nil {
		p.t.Fatalf("%v\n%v", err, plan)
	}
}

func (p *phone) undo(c pathmanager.Config) {
	p.t.Helper()
	var plan *pathmanager.Plan
	var err error
	p.Do(func() {
		if plan, err = c.Removal(); err == nil {
			err = plan.Apply()
		}
	})
	if err != nil {
		p.t.Fatalf("%v\n%v", err, plan)
	}
}

// same fails if the states differ.
func same(t *testing.T, before, after string) {
	t.Helper()
	if before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestPlanModes: each mode from nothing, from each other one, and back, exactly.
func TestPlanModes(t *testing.T) {
	p := newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
	nothing := p.state()
	for _, c := range []pathmanager.Config{
		{},
		{Mode: pathmanager.Interactive},
		{Mode: pathmanager.Aggregate},
		{Mode: pathmanager.Interactive, Costly: []string{"lt?"}},
		{Mode: pathmanager.Handover, Costly: []string{"wifi"}},
		{Announce: true},
		{Mode: pathmanager.Aggregate, Announce: true},
		{Paths: []string{"10.0.0.0/8"}},
		{Paths: []string{"lte", p.wifi.Addr(p.Host).String()}},
		{},
	} {
		plan := p.plan(c)
		t.Logf("%+v\n%v", c, plan)
		if len(plan.Changes) == 0 {
			t.Errorf("%+v: no changes", c)
		}
		for _, x := range plan.Changes {
			typed(t, x)
		}
		p.apply(plan)
		t.Log(p.ip("mptcp", "endpoint"), p.ip("mptcp", "limits"))
		if again := p.plan(c); len(again.Changes) != 0 {
			t.Errorf("%+v: a second plan has changes:\n%v", c, again)
		}
	}
	t.Log(p.state())
	p.undo(pathmanager.Config{})
	same(t, nothing, p.state())
	for _, ns := range []string{"/proc/self/ns/net"} {
		f, err := os.Open(ns)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if plan, err := (pathmanager.Config{}).PlanIn(f); err != nil || len(plan.Changes) != 0 {
			t.Errorf("in the empty namespace of the test: %v, %v", plan, err)
		}
	}
}

// typed fails if the fields of a change do not say what the text says.
func typed(t *testing.T, c pathmanager.Change) {
	t.Helper()
	verb, rest, _ := strings.Cut(c.Text, " ")
	object, _, _ := strings.Cut(rest, " ")
	wantAction := map[string]pathmanager.Action{
		"add": pathmanager.Add, "remove": pathmanager.Remove, "change": pathmanager.Modify, "set": pathmanager.Modify,
		"open": pathmanager.Add, "close": pathmanager.Remove,
	}[verb]
	wantObject := object
	if verb == "open" || verb == "close" {
		wantObject = "subflow"
	}
	if c.Action != wantAction || c.Object.String() != wantObject {
		t.Errorf("%q: %v %v", c.Text, c.Action, c.Object)
	}
	switch c.Object {
	case pathmanager.ObjectLimits:
		if !strings.Contains(c.Text, c.Limits.String()) {
			t.Errorf("%q: limits %v", c.Text, c.Limits)
		}
	case pathmanager.ObjectEndpoint:
		if !strings.Contains(c.Text, c.Endpoint.Addr.String()) || !strings.HasSuffix(c.Text, c.Endpoint.Flags.String()) {
			t.Errorf("%q: endpoint %v", c.Text, c.Endpoint)
		}
	case pathmanager.ObjectRule, pathmanager.ObjectRoute:
		if c.Table == 0 || !c.Prefix.IsValid() {
			t.Errorf("%q: %v, table %d", c.Text, c.Prefix, c.Table)
		}
	}
}

// BenchmarkPlan measures a look at a namespace in which nothing is to be done.
func BenchmarkPlan(b *testing.B) {
	lab := mptcptest.New(b)
	phone, server := lab.Host("phone"), lab.Host("server")
	lab.Link(phone, server, mptcptest.LinkConfig{Kernel: true})
	lab.Link(phone, server, mptcptest.LinkConfig{Kernel: true})
	phone.Do(func() {
		for b.Loop() {
			if _, err := (pathmanager.Config{}).Removal(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
