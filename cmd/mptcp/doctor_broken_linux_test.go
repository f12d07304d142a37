package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// broken is a host with something wrong.
type broken struct {
	name  string
	paths int // of the client: 2 if zero
	// break does it, and returns the host to examine: the client if nil.
	breakIt func(*scene) *mptcptest.Host
	want    []string // the checks that find something
	targets bool     // the doctor is told where to connect
	// not says that nothing can be repaired at this end.
	beyond  bool
	listen  string // on which the server listens; empty: the wildcard address
	says    string // what names the culprit
	restart bool   // programs have to be started again
	after   int    // subflows once it is repaired: 2 if zero
}

var hosts = []broken{
	{name: "MPTCP off", want: []string{"mptcp"}, says: "net.mptcp.enabled", breakIt: func(s *scene) *mptcptest.Host {
		s.client.Sysctl("net.mptcp.enabled", 0)
		return nil
	}},
	{name: "MPTCP off at the server", want: []string{"mptcp"}, says: "net.mptcp.enabled", restart: true, breakIt: func(s *scene) *mptcptest.Host {
		s.server.Sysctl("net.mptcp.enabled", 0)
		return s.server
	}},
	{name: "no endpoint", want: []string{"endpoints", "endpoints"}, says: "lte", breakIt: func(s *scene) *mptcptest.Host {
		shell(s.t, s.client, "ip mptcp endpoint flush")
		return nil
	}},
	{name: "limits zero", want: []string{"limits"}, says: "no subflow", breakIt: func(s *scene) *mptcptest.Host {
		s.client.SetLimits(0, 0)
		return nil
	}},
	{name: "limits zero at the server", want: []string{"limits"}, says: "no subflow", breakIt: func(s *scene) *mptcptest.Host {
		s.server.SetLimits(0, 0)
		return s.server
	}},
	{name: "limits below the number of endpoints", want: []string{"limits"}, says: "allow 1 subflows", after: 3, breakIt: func(s *scene) *mptcptest.Host {
		s.client.SetLimits(1, 0)
		shell(s.t, s.client, "ip addr add 10.2.0.7/24 dev lte && ip rule add from 10.2.0.7 table 1002 && ip mptcp endpoint add 10.2.0.7 subflow")
		return nil
	}},
	{name: "no joins to the first address", want: []string{"join-initial"}, says: "the address that they have connected to", breakIt: func(s *scene) *mptcptest.Host {
		s.server.Sysctl("net.mptcp.allow_join_initial_addr_port", 0)
		return s.server
	}},
	{name: "add_addr_accepted zero", paths: 1, want: []string{"announced"}, targets: true, says: "add_addr_accepted", breakIt: func(s *scene) *mptcptest.Host {
		s.client.SetLimits(2, 0)
		return nil
	}},
	{name: "listener at one address", paths: 1, want: []string{"listeners"}, listen: "10.2.0.1:" + port, says: "10.3.0.1", breakIt: func(s *scene) *mptcptest.Host {
		return s.server
	}},
	{name: "listener at one address, seen by the client", paths: 1, want: []string{"target-paths"}, targets: true, beyond: true,
		listen: "10.2.0.1:" + port, says: "no subflow to them is let in", breakIt: func(*scene) *mptcptest.Host { return nil }},
	{name: "limits zero at the server, seen by the client", want: []string{"target-paths"}, targets: true, beyond: true,
		says: "does not let it in", breakIt: func(s *scene) *mptcptest.Host {
			s.server.SetLimits(0, 0)
			return nil
		}},
	{name: "no source route", want: []string{"routes"}, says: "leave by wifi", breakIt: func(s *scene) *mptcptest.Host {
		shell(s.t, s.client, "ip rule del from 10.2.0.1")
		return nil
	}},
	{name: "no source route and no table", want: []string{"routes"}, says: "leave by wifi", breakIt: func(s *scene) *mptcptest.Host {
		shell(s.t, s.client, "ip rule del from 10.2.0.1 && ip route flush table 1002")
		return nil
	}},
	{name: "rp_filter strict", want: []string{"rp-filter"}, says: "lte", breakIt: func(s *scene) *mptcptest.Host {
		// An endpoint that is bound to its interface needs no rule, but its
		// answers come by an interface that the routes do not lead back to.
		shell(s.t, s.client, "ip rule del from 10.2.0.1 && ip mptcp endpoint flush && "+
			"ip mptcp endpoint add 10.2.0.1 dev lte subflow && ip mptcp endpoint add fd00:2::1 dev lte subflow")
		if r := examineIn(s); !r.Healthy {
			s.t.Fatal("not healthy before the filter is strict")
		}
		s.client.Sysctl("net.ipv4.conf.lte.rp_filter", 1)
		return nil
	}},
	{name: "blackhole", want: []string{"blackhole"}, says: "switched outgoing Multipath TCP off", breakIt: func(s *scene) *mptcptest.Host {
		s.client.Sysctl("net.mptcp.syn_retrans_before_tcp_fallback", 0)
		heal := s.wifi.Inject(mptcptest.DropMPTCPSYN())
		d := s.client.Dialer()
		d.SetMultipathTCP(true)
		c, err := d.DialContext(context.Background(), "tcp", s.target)
		if err != nil {
			s.t.Fatal(err)
		}
		c.Close()
		heal()
		return nil
	}},
	{name: "option stripped", want: []string{"target"}, targets: true, says: "path of wifi", after: 1, breakIt: func(s *scene) *mptcptest.Host {
		s.wifi.Inject(mptcptest.StripMPTCP(mptcptest.Always))
		return nil
	}},
	{name: "option stripped on every path", want: []string{"target"}, targets: true, beyond: true, says: "without the option", breakIt: func(s *scene) *mptcptest.Host {
		s.rack.Inject(mptcptest.StripMPTCP(mptcptest.Always))
		return nil
	}},
	{name: "option dropped", want: []string{"target"}, targets: true, says: "path of wifi", after: 1, breakIt: func(s *scene) *mptcptest.Host {
		s.wifi.Inject(mptcptest.DropMPTCPSYN())
		return nil
	}},
	{name: "reset at the first data", want: []string{"target"}, targets: true, says: "reset at the first data, those without it are not, from 10.1.0.1 (wifi). From 10.2.0.1 (lte)", after: 1, breakIt: func(s *scene) *mptcptest.Host {
		s.wifi.Inject(resetData())
		return nil
	}},
	{name: "reset at the first data on every path", want: []string{"target"}, targets: true, beyond: true, says: "reset at the first data", after: 1, breakIt: func(s *scene) *mptcptest.Host {
		s.rack.Inject(resetData())
		return nil
	}},
	{name: "join dropped", want: []string{"target-paths"}, targets: true, says: "MP_JOIN", breakIt: func(s *scene) *mptcptest.Host {
		s.lte.Inject(mptcptest.DropJoin())
		return nil
	}},
	{name: "userspace path manager", want: []string{"path-manager"}, says: "userspace", breakIt: func(s *scene) *mptcptest.Host {
		s.client.Sysctl("net.mptcp.path_manager", "userspace")
		return nil
	}},
	{name: "firewall", want: []string{"firewall"}, says: "drops", breakIt: func(s *scene) *mptcptest.Host {
		shell(s.t, s.client, "nft add table ip filter && nft 'add chain ip filter out { type filter hook output priority 0; }' && "+
			"nft add rule ip filter out tcp option mptcp exists counter drop")
		return nil
	}},
	{name: "firewall that strips", want: []string{"firewall"}, says: "takes the option off", breakIt: func(s *scene) *mptcptest.Host {
		shell(s.t, s.client, "nft add table inet mangle && nft 'add chain inet mangle out { type filter hook output priority 0; }' && "+
			"nft add rule inet mangle out oifname wifi reset tcp option mptcp")
		return nil
	}},
}

// resetData answers data that carries the option with a reset: a middlebox that
// lets the handshake pass and then finds something that it does not know.
func resetData() mptcptest.Fault {
	return mptcptest.Fault{Name: "reset data with MPTCP", Filter: func(p *mptcptest.Packet) mptcptest.Verdict {
		if p.TCP() && !p.SYN() && len(p.Payload()) > 0 && p.HasMPTCP() {
			p.Reset()
			return mptcptest.Drop
		}
		return mptcptest.Pass
	}}
}

func examineIn(s *scene) seen { return examine(s.t.(*testing.T), s.client) }

// TestDoctorBroken breaks hosts, and has the doctor find the fault, only the
// fault, and the commands that repair it: once a person types them, and once
// the doctor does it.
func TestDoctorBroken(t *testing.T) {
	for _, b := range hosts {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			s, h := b.scene(t)
			r := examine(t, h, b.args(s)...)
			checks, commands := r.found()
			if !slices.Equal(checks, b.want) {
				t.Errorf("found %q, want %q", checks, b.want)
			}
			if !slices.ContainsFunc(r.faults(), func(f string) bool { return strings.Contains(f, b.says) }) {
				t.Errorf("no fault says %q: %q", b.says, r.faults())
			}
			if b.beyond {
				if len(commands) > 0 {
					t.Errorf("commands for what cannot be repaired here: %q", commands)
				}
				return
			}
			if len(commands) == 0 {
				t.Fatal("no command")
			}
			for _, line := range commands {
				shell(t, h, line)
			}
			b.repaired(s)
			if again, _ := examine(t, h, b.args(s)...).found(); len(again) > 0 {
				t.Errorf("after %q there is still %q", commands, again)
			}
		})
		if b.beyond {
			continue
		}
		t.Run(b.name+", by --fix", func(t *testing.T) {
			t.Parallel()
			s, h := b.scene(t)
			o := finish(t, commandIn(h, append([]string{"doctor", "--fix", "--yes", "--json"}, b.args(s)...)...))
			if r := examineText(t, o.out); o.status != exitOK || !r.Healthy || len(r.faults()) > 0 {
				t.Errorf("status %d, healthy %v, %q\n%s", o.status, r.Healthy, r.faults(), o.err)
			}
			b.repaired(s)
		})
	}
}

// scene is a network with the fault, and the host to examine.
func (b broken) scene(t *testing.T) (s *scene, h *mptcptest.Host) {
	t.Helper()
	s = newScene(t, cmp.Or(b.paths, 2))
	if b.restart { // the fault is older than the program
		h = b.breakIt(s)
		s.serve(b.address())
	} else {
		s.serve(b.address())
		h = b.breakIt(s)
	}
	if err := s.dial(cmp.Or(b.after, 2), time.Second); err == nil {
		t.Fatal("there is nothing wrong with this host")
	}
	if h == nil {
		h = s.client
	}
	return s, h
}

func (b broken) address() string { return cmp.Or(b.listen, ":"+port) }

func (b broken) args(s *scene) []string {
	if b.targets {
		return []string{s.target}
	}
	return nil
}

// repaired checks that connections are as they should be now.
func (b broken) repaired(s *scene) {
	s.t.Helper()
	if b.restart {
		s.serve(b.address())
	}
	if err := s.dial(cmp.Or(b.after, 2), 10*time.Second); err != nil {
		s.t.Errorf("it is not repaired: %v", err)
	}
}
