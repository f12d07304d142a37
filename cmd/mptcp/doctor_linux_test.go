package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// seen is a report as scripts see it.
type seen struct {
	Healthy bool `json:"healthy"`
	Checks  []struct {
		Check    string `json:"check"`
		State    string `json:"state"`
		Summary  string `json:"summary"`
		Findings []struct {
			State       string   `json:"state"`
			Fault       string   `json:"fault"`
			Consequence string   `json:"consequence"`
			Fix         []string `json:"fix"`
			Advice      string   `json:"advice"`
		} `json:"findings"`
	} `json:"checks"`
}

// examine runs the doctor in a host and checks what must hold of every report.
func examine(t *testing.T, h *mptcptest.Host, args ...string) seen {
	t.Helper()
	o := finish(t, commandIn(h, append([]string{"doctor", "--json"}, args...)...))
	var r seen
	if err := json.Unmarshal([]byte(o.out), &r); err != nil {
		t.Fatalf("%v\nstatus %d\n%s%s", err, o.status, o.out, o.err)
	}
	if r.Healthy != (o.status == 0) || !r.Healthy && o.status != exitFailed || o.err != "" {
		t.Errorf("healthy %v with exit status %d, and on stderr %q", r.Healthy, o.status, o.err)
	}
	for _, c := range r.Checks {
		if c.State == "unknown" {
			t.Errorf("%s is not known: %s", c.Check, c.Summary)
		}
		for _, f := range c.Findings {
			t.Logf("%s: %s: %s %s %q %s", h, c.Check, f.Fault, f.Consequence, f.Fix, f.Advice)
			if f.Fault == "" || f.Consequence == "" || len(f.Fix) == 0 && f.Advice == "" {
				t.Errorf("%s: a finding without consequence, or without anything to do", c.Check)
			}
		}
	}
	return r
}

// found lists the names of the checks that have found something, with "?" for
// a notice, and all commands.
func (r seen) found() (checks, commands []string) {
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			name := c.Check
			if f.State == "notice" {
				name += "?"
			}
			checks = append(checks, name)
			for _, command := range f.Fix {
				if !slices.Contains(commands, command) {
					commands = append(commands, command)
				}
			}
		}
	}
	return checks, commands
}

// faults lists what is wrong, in words.
func (r seen) faults() (all []string) {
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if f.State == "fault" {
				all = append(all, f.Fault)
			}
		}
	}
	return all
}

// TestDoctorFix has the doctor do itself what it proposes.
func TestDoctorFix(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)
	shell(t, s.client, "ip rule del from 10.2.0.1 && ip route flush table 1002 && ip mptcp endpoint flush && "+
		"ip mptcp endpoint add 10.2.0.1 subflow && ip mptcp endpoint add 10.9.9.9 subflow && "+
		"ip mptcp limits set subflows 0")
	s.client.Sysctl("net.mptcp.enabled", 0)

	refuse := commandIn(s.client, "doctor", "--fix")
	refuse.Stdin = strings.NewReader("n\n")
	if o := finish(t, refuse); o.status != exitFailed || !strings.Contains(o.err, "nothing was changed") {
		t.Errorf("refused: status %d\n%s%s", o.status, o.out, o.err)
	}
	if s.client.ReadSysctl("net.mptcp.enabled") != "0" {
		t.Fatal("something was changed")
	}
	powerless := s.client.Unprivileged(os.Args[0], "doctor", "--fix", "--yes")
	powerless.Env = commandIn(s.client).Env
	if o := finish(t, powerless); o.status != exitUnsupported || !strings.Contains(lastLine(o.err), "needs root") {
		t.Errorf("without privilege: status %d\n%s%s", o.status, o.out, o.err)
	}
	agree := commandIn(s.client, "doctor", "--fix")
	agree.Stdin = strings.NewReader("yes\n")
	if o := finish(t, agree); o.status != exitOK {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.err)
	}
	if err := s.dial(2, 5*time.Second); err != nil {
		t.Error(err)
	}
	// For scripts: one object, after the repair.
	s.client.SetLimits(0, 0)
	if r := examineText(t, finish(t, commandIn(s.client, "doctor", "--fix", "--yes", "--json")).out); !r.Healthy {
		t.Error("not healthy")
	}
	if r := examine(t, s.client, s.target); !r.Healthy {
		t.Error("not healthy")
	}
}

func examineText(t *testing.T, text string) (r seen) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// TestDoctorHealthy examines hosts with nothing wrong, with a target and
// without, with privilege and without.
func TestDoctorHealthy(t *testing.T) {
	for _, paths := range []int{1, 2} {
		t.Run(fmt.Sprint(paths), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, paths)
			s.serve(":" + port)
			if paths == 2 { // strict does no harm where the routes are in order
				s.client.Sysctl("net.ipv4.conf.all.rp_filter", 1)
				// What is plugged into a bridge is no path, whatever routes there are.
				shell(t, s.client, "ip link add plug type veth peer name other && ip link add bridge type bridge && "+
					"ip link set plug master bridge && ip addr add 10.77.0.1/24 dev plug && "+
					"ip link set plug up && ip link set other up && ip route add default dev plug table 77")
			}
			if err := s.dial(2, 5*time.Second); err != nil {
				t.Error(err)
			}
			for _, h := range []*mptcptest.Host{s.client, s.server} {
				if checks, _ := examine(t, h).found(); len(checks) > 0 {
					t.Errorf("%s: found %q", h, checks)
				}
			}
			r := examine(t, s.client, s.target)
			if checks, _ := r.found(); len(checks) > 0 || !r.Healthy {
				t.Errorf("with a target: found %q", checks)
			}
			powerless := s.client.Unprivileged(os.Args[0], "doctor", s.target)
			powerless.Env = commandIn(s.client).Env
			o := finish(t, powerless)
			if o.status != exitOK || !strings.Contains(lastLine(o.out), "Healthy, as far as can be seen without root. Not known: firewall.") ||
				!strings.Contains(o.out, "2 subflows") {
				t.Errorf("without privilege: status %d\n%s%s", o.status, o.out, o.err)
			}
		})
	}
}

// TestDoctorDirect examines hosts with two cables between them and no router,
// and endpoints for IPv4 alone.
func TestDoctorDirect(t *testing.T) {
	t.Parallel()
	n := mptcptest.New(t)
	s := &scene{t: t, client: n.Host("client"), server: n.Host("server")}
	s.wifi = n.Link(s.client, s.server, mptcptest.LinkConfig{Name: "wifi"})
	s.lte = n.Link(s.client, s.server, mptcptest.LinkConfig{Name: "lte"})
	for _, h := range []*mptcptest.Host{s.client, s.server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", "reno")
	}
	s.target = net.JoinHostPort(s.wifi.Addr(s.server).String(), port)
	s.serve(":" + port)

	// Nothing but the peer's announcement leads to the second path.
	s.server.AddEndpoint(s.lte.Addr(s.server), mptcptest.Signal)
	checks, commands := examine(t, s.client, s.target).found()
	if !slices.Equal(checks, []string{"endpoints?", "endpoints?", "announced"}) {
		t.Errorf("add_addr_accepted zero: %q %q", checks, commands)
	}
	shell(t, s.client, "ip mptcp limits set add_addr_accepted 2")
	if err := s.dial(2, 5*time.Second); err != nil {
		t.Error(err)
	}
	if r := examine(t, s.client, s.target); !r.Healthy {
		t.Error("not healthy with what the peer announces")
	}
	// The path from here.
	s.server.RemoveEndpoint(s.lte.Addr(s.server))
	s.client.AddEndpoint(s.lte.Addr(s.client), mptcptest.Subflow)
	for _, args := range [][]string{nil, {s.target}} {
		for _, h := range []*mptcptest.Host{s.client, s.server}[:2-len(args)] {
			if r := examine(t, h, args...); !r.Healthy {
				t.Errorf("%s %q: not healthy", h, args)
			}
		}
	}
	// Turn the order round where MP_JOIN is lost.
	s.lte.Inject(mptcptest.DropJoin())
	checks, commands = examine(t, s.client, s.target).found()
	if !slices.Contains(checks, "target-paths") || len(commands) == 0 {
		t.Fatalf("join dropped: %q %q", checks, commands)
	}
	for _, line := range commands {
		shell(t, s.client, line)
	}
	if err := s.dial(2, 5*time.Second); err != nil {
		t.Errorf("after %q: %v", commands, err)
	}
}

// TestDoctorNotices leaves to the user what may be meant: --fix repairs faults.
func TestDoctorNotices(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)
	s.client.Sysctl("net.ipv4.tcp_congestion_control", "bbr")
	shell(t, s.client, "ip mptcp endpoint add 10.9.9.9 subflow")
	r := examine(t, s.client)
	checks, commands := r.found()
	if !slices.Equal(checks, []string{"endpoints?", "congestion?"}) || len(commands) != 2 || !r.Healthy {
		t.Fatalf("found %q, to be typed %q, healthy %v", checks, commands, r.Healthy)
	}
	o := finish(t, commandIn(s.client, "doctor", "--fix", "--yes"))
	if o.status != exitOK || s.client.ReadSysctl("net.ipv4.tcp_congestion_control") != "bbr" {
		t.Errorf("status %d, congestion control %s\n%s%s", o.status, s.client.ReadSysctl("net.ipv4.tcp_congestion_control"), o.out, o.err)
	}
	if again, _ := examine(t, s.client).found(); !slices.Equal(again, checks) {
		t.Errorf("after --fix: %q", again)
	}
	for _, line := range commands {
		shell(t, s.client, line)
	}
	if again, _ := examine(t, s.client).found(); len(again) > 0 {
		t.Errorf("after %q there is still %q", commands, again)
	}
}

// TestDoctorBlind examines a host with too few files to look at everything.
func TestDoctorBlind(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)
	blind := 0
	for n := 4; n < 40; n++ { // from what is too few to start with on
		cmd := s.client.Command("sh", "-c", fmt.Sprintf("ulimit -n %d && exec \"$0\" doctor --json %s", n, s.target), os.Args[0])
		cmd.Env = commandIn(s.client).Env
		o := finish(t, cmd)
		var r seen
		if err := json.Unmarshal([]byte(o.out), &r); err != nil {
			continue // it said nothing, and certainly not that the host is healthy
		}
		if r.Healthy {
			if o.status != exitOK {
				t.Errorf("%d files: healthy, with status %d", n, o.status)
			}
			break
		}
		if o.status == exitOK {
			t.Errorf("%d files: not healthy, with status %d", n, o.status)
		}
		if o.status == exitUnsupported {
			blind++
		}
	}
	if blind == 0 {
		t.Error("with no number of files there was something that could not be looked at")
	}
}

// TestDoctorTarget tries targets that are no fault of Multipath TCP.
func TestDoctorTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	l, err := (&transport.ListenConfig{NetListenConfig: s.server.ListenConfig(), Mode: transport.Off}).Listen(context.Background(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host := s.rack.Addr(s.server).String()
	r := examine(t, s.client, net.JoinHostPort(host, "80"))
	if checks, commands := r.found(); !slices.Equal(checks, []string{"target"}) || len(commands) > 0 {
		t.Errorf("a server without Multipath TCP: %q %q", checks, commands)
	}
	// A server that closes at once, and one that waits for a request.
	lc := transport.ListenConfig{NetListenConfig: s.server.ListenConfig()}
	hasty, err := lc.Listen(context.Background(), "tcp", ":82")
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	go func() {
		for {
			c, err := hasty.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	r = examine(t, s.client, net.JoinHostPort(host, "82"))
	if checks, _ := r.found(); len(checks) > 0 || !r.Healthy || !strings.Contains(fmt.Sprint(r), "peer closed the connection") {
		t.Errorf("a server that closes at once: %q %v", checks, r)
	}
	patient, err := lc.Listen(context.Background(), "tcp", ":83")
	if err != nil {
		t.Fatal(err)
	}
	web := http.Server{Handler: http.NotFoundHandler()}
	defer web.Close()
	go func() { _ = web.Serve(patient) }() // ends with the test
	r = examine(t, s.client, net.JoinHostPort(host, "83"))
	if checks, _ := r.found(); len(checks) > 0 || !strings.Contains(fmt.Sprint(r), "2 subflows") {
		t.Errorf("a web server: %q %v", checks, r)
	}
	r = examine(t, s.client, net.JoinHostPort(host, "81"))
	if checks, commands := r.found(); !slices.Equal(checks, []string{"target"}) || len(commands) > 0 {
		t.Errorf("a port where nobody listens: %q %q", checks, commands)
	}
	o := finish(t, commandIn(s.client, "doctor", host))
	if o.status != exitUsage || !strings.Contains(o.err, "HOST:PORT") {
		t.Errorf("no port: status %d: %s", o.status, o.err)
	}
}
