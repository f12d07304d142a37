package pathmanager_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// twoLinks is a phone with two wires.
func twoLinks(t *testing.T) *phone {
	return newPhone(t, mptcptest.LinkConfig{}, mptcptest.LinkConfig{})
}

// TestApplyRollsBack: a step fails, and all is as before.
func TestApplyRollsBack(t *testing.T) {
	p := twoLinks(t)
	for _, c := range []pathmanager.Config{{}, {Mode: pathmanager.Aggregate}} {
		plan := p.plan(c)
		p.ip("mptcp", "endpoint", "add", p.lte.Addr6(p.Host).String(), "id", "7", "signal") // the last step
		before := p.state()
		var err error
		p.Do(func() { err = plan.Apply() })
		if err == nil || !errors.Is(err, os.ErrExist) || !strings.Contains(err.Error(), p.lte.Addr6(p.Host).String()) {
			t.Errorf("%v: error %v, want one that matches %v", c.Mode, err, os.ErrExist)
		}
		same(t, before, p.state())
		p.ip("mptcp", "endpoint", "delete", "id", "7")
	}
}

// TestForeign: what others have made is left as it is, and said.
func TestForeign(t *testing.T) {
	p := twoLinks(t)
	lte := p.lte.Addr(p.Host).String()
	for _, command := range []string{
		"mptcp endpoint add " + lte + " id 9 dev lte subflow",
		"mptcp endpoint add 10.9.9.9 signal",
		"mptcp limits set subflows 3 add_addr_accepted 1",
		"rule add from " + lte + " table 5000 pref 900",
		"rule add from " + p.wifi.Addr(p.Host).String() + " table 5000 pref 7102",
		"rule add from 10.0.0.0/8 fwmark 0x7 table 5001 pref 7101",
		"rule add from 10.1.0.1 ipproto tcp dport 22 table 5001 pref 7100 protocol 130",
		"-6 rule add to fd00:9::/64 table 5000 pref 7000",
		"route add 10.99.0.0/16 via 10.2.0.2 table 5000",
		"route add 10.98.0.0/16 via 10.2.0.2 table main proto 130",
		"-6 route add fd00:99::/64 via fd00:2::2 table 5000",
	} {
		p.ip(strings.Fields(command)...)
	}
	before := p.state()
	for _, c := range []pathmanager.Config{{}, {Mode: pathmanager.Aggregate}, {Announce: true}} {
		plan := p.plan(c)
		if s := plan.String(); !strings.Contains(s, "endpoint "+lte+" dev lte subflow is not ours") {
			t.Errorf("the plan does not speak of the endpoint for %s:\n%s", lte, s)
		}
		p.apply(plan)
		if again := p.plan(c); len(again.Changes) != 0 {
			t.Errorf("%+v: a second plan has changes:\n%v", c, again)
		}
		if n := strings.Count(p.ip("rule"), "from "+lte+" ") - 1; n != 3 {
			t.Errorf("%+v: %d rules for an address with an endpoint of somebody else:\n%s", c, n, p.ip("rule"))
		}
		for _, line := range []string{"10.2.0.1 id 9 subflow dev lte", "10.9.9.9 id 10 signal"} {
			if !strings.Contains(p.ip("mptcp", "endpoint"), line) {
				t.Errorf("%q is not there any more:\n%s", line, p.ip("mptcp", "endpoint"))
			}
		}
	}
	p.undo(pathmanager.Config{})
	same(t, before, p.state())
}

// TestForeignLimits: limits that somebody has changed since stay.
func TestForeignLimits(t *testing.T) {
	p := twoLinks(t)
	c := pathmanager.Config{Mode: pathmanager.Aggregate}
	before := p.state()
	p.apply(p.plan(c))
	p.ip("mptcp", "limits", "set", "subflows", "5", "add_addr_accepted", "3")
	p.undo(c)
	if got := p.ip("mptcp", "limits"); got != "add_addr_accepted 3 subflows 5 \n" {
		t.Errorf("limits %q", got)
	}
	p.ip("mptcp", "limits", "set", "subflows", "2", "add_addr_accepted", "0")
	same(t, before, p.state())

	p.apply(p.plan(c))
	p.ip("mptcp", "limits", "set", "subflows", "5", "add_addr_accepted", "3")
	p.apply(p.plan(c)) // raises them again, and remembers those
	p.undo(c)
	if got := p.ip("mptcp", "limits"); got != "add_addr_accepted 3 subflows 5 \n" {
		t.Errorf("limits %q", got)
	}
}

// TestTableInUse: a table of somebody else is not made ours.
func TestTableInUse(t *testing.T) {
	p := twoLinks(t)
	table := p.plan(pathmanager.Config{}).Paths[1].Table
	p.ip(strings.Fields("route add 10.99.0.0/16 via 10.2.0.2 proto static table " + itoa(table))...)
	var err error
	p.Do(func() { _, err = pathmanager.Config{}.Plan() })
	if err == nil || !strings.Contains(err.Error(), "table "+itoa(table)+" is in use") {
		t.Errorf("error %v", err)
	}
	before := p.state()
	c := pathmanager.Config{Table: 9000, Protocol: 77}
	p.apply(p.plan(c))
	if s := p.state(); strings.Contains(s, "proto 130") || !strings.Contains(s, "proto 77") {
		t.Error(s)
	}
	p.undo(c)
	same(t, before, p.state())
}

func itoa(n uint32) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// TestSourceRouting: what comes from an address leaves by its interface, but for
// networks that are not behind a path.
func TestSourceRouting(t *testing.T) {
	p := twoLinks(t)
	p.ip("link", "add", "docker0", "type", "bridge")
	p.ip("link", "add", "port", "type", "veth", "peer", "name", "plug")
	p.ip("link", "set", "plug", "up")
	p.ip("link", "set", "port", "master", "docker0", "up")
	p.ip("address", "add", "172.17.0.1/16", "dev", "docker0")
	p.ip("link", "set", "docker0", "up")
	p.ip("link", "add", "vpn", "type", "ifb")
	p.ip("link", "set", "vpn", "up")
	p.ip("address", "add", "10.50.0.1/24", "dev", "vpn")
	p.ip("route", "add", "default", "dev", "vpn", "metric", "5000")
	p.eventually("docker0 has a carrier", func() bool { return strings.Contains(p.ip("link", "show", "docker0"), "LOWER_UP") })
	plan := p.plan(pathmanager.Config{})
	for _, path := range plan.Paths {
		if path.Interface != "wifi" && path.Interface != "lte" {
			t.Errorf("%s takes part", path.Interface)
		}
	}
	for _, note := range []string{"docker0 with 172.17.0.1 takes no part: no default route", "vpn with 10.50.0.1 takes no part: interfaces of kind ifb run over others or nowhere: name it to use it; if it is a VPN"} {
		if !strings.Contains(plan.String(), note) {
			t.Errorf("no note that %s:\n%v", note, plan)
		}
	}
	p.apply(plan)
	for _, c := range []struct{ get, dev string }{
		{"192.0.2.1 from 10.1.0.1", "via 10.1.0.2 dev wifi"},
		{"192.0.2.1 from 10.2.0.1", "via 10.2.0.2 dev lte"},
		{"10.1.0.2 from 10.2.0.1", "via 10.2.0.2 dev lte"}, // on the link of the other path
		{"10.2.0.2 from 10.1.0.1", "via 10.1.0.2 dev wifi"},
		{"10.2.0.2 from 10.2.0.1", "dev lte"},
		{"172.17.0.5 from 10.2.0.1", "dev docker0"}, // more specific than a path
		{"172.17.0.5 from 10.1.0.1", "dev docker0"},
		{"2001:db8::1 from fd00:1::1", "via fd00:1::2 dev wifi"},
		{"2001:db8::1 from fd00:2::1", "via fd00:2::2 dev lte"},
		{"fd00:1::2 from fd00:2::1", "via fd00:2::2 dev lte"},
		{"192.0.2.1", "via 10.1.0.2 dev wifi"},
	} {
		if got := p.ip(append([]string{"route", "get"}, strings.Fields(c.get)...)...); !strings.Contains(got, c.dev) {
			t.Errorf("to %s: %swant %s", c.get, got, c.dev)
		}
	}
	if plan := p.plan(pathmanager.Config{Paths: []string{"wifi", "lte", "wlan7"}}); !strings.Contains(plan.String(), "note: there is no interface and no address wlan7") ||
		strings.Contains(plan.String(), "address wifi") {
		t.Errorf("%v", plan)
	}
	// Naming it is enough.
	if plan := p.plan(pathmanager.Config{Paths: []string{"docker0", "wifi"}}); !strings.Contains(plan.String(), "add endpoint 172.17.0.1 dev docker0 subflow backup") {
		t.Errorf("%v", plan)
	}
}

// TestSwitchedOff: where endpoints have no effect, a plan says so.
func TestSwitchedOff(t *testing.T) {
	p := twoLinks(t)
	for _, s := range []struct {
		name        string
		bad, good   any
		want, want2 string
	}{
		{"net.mptcp.enabled", 0, 1, "switched off", "sysctl -w net.mptcp.enabled=1"},
		{"net.mptcp.pm_type", 1, 0, "mptcpd", "sysctl -w net.mptcp.pa"},
	} {
		p.Sysctl(s.name, s.bad)
		var err, err2 error
		p.Do(func() {
			_, err = pathmanager.Config{}.Plan()
			err2 = new(pathmanager.Manager).Run(t.Context())
		})
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), s.want) || !strings.Contains(err.Error(), s.want2) {
				t.Errorf("%s=%v: error %v", s.name, s.bad, err)
			}
		}
		var plan *pathmanager.Plan
		p.Do(func() { plan, err = pathmanager.Config{}.Removal() })
		if err != nil || len(plan.Changes) != 0 {
			t.Errorf("%s=%v: removal: %v, %v", s.name, s.bad, plan, err)
		}
		p.Sysctl(s.name, s.good)
	}
}

// TestOtherManagers: programs that make endpoints as well are named, if they are
// in the same network namespace.
func TestOtherManagers(t *testing.T) {
	p := twoLinks(t)
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "mptcpd")
	if err := os.WriteFile(program, sleep, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &journal{p: p}
	p.manage(&pathmanager.Manager{Logger: r.logger()})
	p.have(bothPaths...)
	for _, host := range []*mptcptest.Host{p.server, p.Host} {
		cmd := host.Command(program, "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
		for range 1000 {
			if b, _ := os.ReadFile(filepath.Join("/proc", itoa(uint32(cmd.Process.Pid)), "comm")); string(b) == "mptcpd\n" {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if got := strings.Contains(p.plan(pathmanager.Config{}).String(), "note: mptcpd is running"); got != (host == p.Host) {
			t.Errorf("mptcpd runs on %v: noted on the phone: %v", host, got)
		}
	}
	p.eventually("a Manager that is running notes it", func() bool { return r.count("mptcpd is running") == 1 })
}

const envUnprivileged = "PATHMANAGER_TEST_UNPRIVILEGED"

// TestPlanUnprivileged: a plan can be made and seen by anybody. To carry it out,
// it says what is missing.
func TestPlanUnprivileged(t *testing.T) {
	if os.Getenv(envUnprivileged) != "" {
		plan, err := pathmanager.Config{}.Plan()
		if err != nil || len(plan.Changes) == 0 {
			t.Fatalf("%v, %v", plan, err)
		}
		err = plan.Apply()
		run := new(pathmanager.Manager).Run(t.Context())
		for _, err := range []error{err, run} {
			if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
				t.Errorf("error %v", err)
			}
		}
		t.Log(err)
		t.Log(run)
		return
	}
	p := twoLinks(t)
	before := p.state()
	cmd := p.Unprivileged(os.Args[0], "-test.run=^TestPlanUnprivileged$", "-test.v")
	cmd.Env = append(os.Environ(), envUnprivileged+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	same(t, before, p.state())
}

// TestEightEndpoints: the kernel has room for no more, those of others included.
func TestEightEndpoints(t *testing.T) {
	p := twoLinks(t)
	for _, a := range []string{"10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5"} {
		p.ip("mptcp", "endpoint", "add", a, "signal")
	}
	before := p.state()
	plan := p.plan(pathmanager.Config{Announce: true})
	if !strings.Contains(plan.String(), "note: fd00:2::1 takes no part: the kernel has room for 8 endpoints") {
		t.Errorf("%v", plan)
	}
	p.apply(plan)
	p.undo(pathmanager.Config{})
	same(t, before, p.state())
}
