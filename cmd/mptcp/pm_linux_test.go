package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fields of all lines, so that spaces do not matter.
func fields(s string) [][]string {
	var all [][]string
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		slices.Sort(f) // ip(8) has an order of its own
		all = append(all, f)
	}
	return all
}

// TestEndpoints does by this command what ip(8) does, and compares what both
// show.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	ours := func(line string) output { return finish(t, commandIn(s.client, strings.Fields(line)...)) }
	same := func(what string) {
		t.Helper()
		theirs, err := s.client.Command("ip", "mptcp", what).Output()
		if err != nil {
			t.Fatal(err)
		}
		o := ours(what)
		if o.status != exitOK || o.err != "" || !reflect.DeepEqual(fields(o.out), fields(string(theirs))) {
			t.Errorf("%s: status %d\n%s%sip shows\n%s", what, o.status, o.out, o.err, theirs)
		}
	}
	same("endpoint")
	same("limits")
	for _, step := range []struct{ line, show string }{
		{"endpoint flush", ""},
		{"endpoint add 10.2.0.1 dev lte subflow backup", "10.2.0.1 id 1 subflow backup dev lte"},
		{"endpoint add fd00:2::1 id 7 port 4000 signal", "fd00:2::1 port 4000 id 7 signal"},
		{"endpoint change id 1 nobackup", "10.2.0.1 id 1 subflow dev lte"},
		{"endpoint change 10.2.0.1 fullmesh", "10.2.0.1 id 1 subflow fullmesh dev lte"},
		{"endpoint change 10.2.0.1 backup", "10.2.0.1 id 1 subflow backup fullmesh dev lte"},
		{"endpoint delete id 7", ""},
		{"limits set subflows 5 add_addr_accepted 3", "add_addr_accepted 3 subflows 5"},
		{"limits set subflow 4", "add_addr_accepted 3 subflows 4"},
	} {
		if o := ours(step.line); o.status != exitOK || o.out+o.err != "" {
			t.Fatalf("%s: status %d\n%s%s", step.line, o.status, o.out, o.err)
		}
		what := strings.Fields(step.line)[0]
		same(what)
		if o := ours(what); !strings.Contains(o.out, step.show) {
			t.Errorf("after %s: %s", step.line, o.out)
		}
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(ours("endpoints show --json").out), &list); err != nil || len(list) != 1 ||
		list[0]["address"] != "10.2.0.1" || list[0]["dev"] != "lte" || list[0]["backup"] != true {
		t.Errorf("JSON: %v %v", list, err)
	}
	for _, wrong := range []struct {
		line   string
		status int
		says   string
	}{
		{"endpoints add", exitUsage, "arg"},
		{"endpoints add 10.2.0.300", exitUsage, "10.2.0.300"},
		{"endpoints add 10.2.0.1 dev nothere", exitUsage, "nothere"},
		{"endpoints add 10.2.0.9 signal fullmesh", exitFailed, "10.2.0.9"},
		{"endpoints add 10.2.0.1", exitFailed, "10.2.0.1"},
		{"endpoints add 10.2.0.9 colour", exitUsage, "colour"},
		{"endpoints delete 10.2.0.1", exitUsage, "identifier"},
		{"endpoints delete id 99", exitFailed, "99"},
		{"endpoints delete id 900", exitUsage, "900"},
		{"endpoints change id 1 subflow", exitUsage, "subflow"},
		{"endpoints change id 1 backup nobackup", exitUsage, "contradict"},
		{"endpoints change id 1", exitUsage, "nothing to change"},
		{"endpoints change 10.7.7.7 backup", exitFailed, "10.7.7.7"},
		{"endpoints show id", exitUsage, "nothing after"},
		{"limits set", exitUsage, "arg"},
		{"limits set subflows many", exitUsage, "not a number"},
		{"limits set subflows 300", exitFailed, "maximum"},
		{"limits set paths 3", exitUsage, "paths"},
	} {
		o := ours(wrong.line)
		if o.status != wrong.status || !strings.Contains(o.err, wrong.says) || o.out != "" || strings.Count(o.err, "\n") > 2 {
			t.Errorf("%s: status %d, want %d and %q\n%s%s", wrong.line, o.status, wrong.status, wrong.says, o.out, o.err)
		}
	}
	powerless := s.client.Unprivileged("/proc/self/exe", "endpoints", "flush")
	powerless.Env = commandIn(s.client).Env
	if o := finish(t, powerless); o.status != exitUnsupported || !strings.Contains(o.err, "CAP_NET_ADMIN") {
		t.Errorf("without privilege: status %d\n%s", o.status, o.err)
	}
}

// beyond lists the lines of a that are not in b.
func beyond(a, b string) string {
	var lines strings.Builder
	for line := range strings.Lines(a) {
		if !strings.Contains("\n"+b, "\n"+line) {
			lines.WriteString("\n" + strings.TrimSpace(line))
		}
	}
	return lines.String()
}

// TestUpDown lets the command set a host up and down again.
func TestUpDown(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)
	shell(t, s.client, "ip mptcp endpoint flush && ip rule del from 10.2.0.1 && ip -6 rule del from fd00:2::1 && "+
		"ip mptcp limits set subflows 0")
	state := func() string {
		out, err := s.client.Command("sh", "-c", "ip mptcp endpoint; ip mptcp limits; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	before := state()
	for _, mode := range []string{"handover", "interactive", "aggregate"} {
		dry := finish(t, commandIn(s.client, "up", "--mode", mode, "--dry-run"))
		if dry.status != exitOK || !strings.Contains(dry.out, "lte") || state() != before {
			t.Errorf("%s: dry run: status %d\n%s%s", mode, dry.status, dry.out, dry.err)
		}
		if o := finish(t, commandIn(s.client, "up", "--mode", mode)); o.status != exitOK || o.out != dry.out {
			t.Fatalf("%s: status %d\n%s%s", mode, o.status, o.out, o.err)
		}
		if o := finish(t, commandIn(s.client, "up", "--mode", mode)); o.status != exitOK || !strings.Contains(o.out, "as it should be") {
			t.Errorf("%s again: status %d\n%s%s", mode, o.status, o.out, o.err)
		}
		if checks, _ := examine(t, s.client, s.target).found(); len(checks) > 0 {
			t.Errorf("%s: the doctor finds %q", mode, checks)
		}
		if err := s.dial(2, 5*time.Second); err != nil && mode != "handover" { // where the second is silent
			t.Errorf("%s: %v", mode, err)
		}
		if o := finish(t, commandIn(s.client, "down")); o.status != exitOK {
			t.Errorf("down: status %d\n%s%s", o.status, o.out, o.err)
		}
		if now := state(); now != before {
			t.Errorf("%s: after down there is%s\nand before there was%s", mode, beyond(now, before), beyond(before, now))
		}
	}
	if o := finish(t, commandIn(s.client, "down")); o.status != exitOK || !strings.Contains(o.out, "nothing to undo") {
		t.Errorf("down again: status %d\n%s%s", o.status, o.out, o.err)
	}
	if o := finish(t, commandIn(s.client, "up", "--mode", "fast")); o.status != exitUsage || !strings.Contains(o.err, "handover") {
		t.Errorf("a mode that there is not: status %d\n%s", o.status, o.err)
	}
}

// TestUpStay has the command stay, take an interface away and give it back, and
// interrupts it: with --keep all stays, else it goes.
func TestUpStay(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	shell(t, s.client, "ip mptcp endpoint flush")
	var errs *lockedBuffer
	endpoints := func(n int) {
		t.Helper()
		var list string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			out, err := s.client.Command("ip", "mptcp", "endpoint").CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			if list = string(out); strings.Count(list, "dev lte") == n {
				return
			}
		}
		t.Fatalf("not %d endpoints at lte:\n%s%s", n, list, errs)
	}
	for _, keep := range []bool{true, false} {
		args := []string{"up", "--stay", "--mode", "interactive", "--table", "8000", "--protocol", "99"}
		if keep {
			args = append(args, "--keep")
		}
		cmd := commandIn(s.client, args...)
		var wait func() int
		errs, wait = background(t, cmd)
		endpoints(2)
		s.lte.CutAt(s.client)
		endpoints(0)
		s.lte.Restore()
		endpoints(2)
		if rules, err := s.client.Command("ip", "rule").CombinedOutput(); err != nil || !strings.Contains(string(rules), "8000:") {
			t.Errorf("%v\n%s", err, rules)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if status := wait(); status != exitOK || !strings.Contains(errs.String(), "lte") {
			t.Errorf("status %d\n%s", status, errs)
		}
		if !keep {
			endpoints(0)
			break
		}
		endpoints(2)
		if o := finish(t, commandIn(s.client, "down")); o.status != exitOK || !strings.Contains(o.out, "nothing to undo") {
			t.Errorf("down for another table: status %d\n%s%s", o.status, o.out, o.err)
		}
		if o := finish(t, commandIn(s.client, "down", "--table", "8000", "--protocol", "99")); o.status != exitOK {
			t.Errorf("down: status %d\n%s%s", o.status, o.out, o.err)
		}
		endpoints(0)
	}
	if o := finish(t, commandIn(s.client, "up", "--keep")); o.status != exitUsage || !strings.Contains(o.err, "--stay") {
		t.Errorf("--keep alone: status %d\n%s", o.status, o.err)
	}
}
