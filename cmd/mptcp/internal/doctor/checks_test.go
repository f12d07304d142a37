package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
	"github.com/multipath-go/mptcp/pathmanager"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// phone is a healthy host with two ways out.
func phone() *Host {
	wifi, lte := addr("192.168.1.7"), addr("10.64.0.7")
	return &Host{
		Kernel:     "6.18",
		Sysctls:    map[string]string{"net.mptcp.path_manager": "kernel", "net.ipv4.tcp_congestion_control": "cubic"},
		Endpoints:  []pathmanager.Endpoint{{ID: 1, Addr: lte, Flags: pathmanager.Subflow}},
		Limits:     pathmanager.Limits{Subflows: 2},
		Loopback:   mptcp.Status{State: mptcp.Multipath},
		Interfaces: []Interface{gateway(2, "wlan0", wifi, "192.168.1.1", tableMain), gateway(3, "wwan0", lte, "10.64.0.1", 42)},
		Ways: []Way{
			{Addr: wifi, Leaves: "wlan0", Bound: true, Primary: true},
			{Addr: lte, Leaves: "wwan0", Bound: true},
		},
		Counters: mptcp.Counters{"MPCapableSYNTX": 3, "MPCapableSYNACKRX": 3},
	}
}

func gateway(index int, name string, a netip.Addr, gw string, table uint32) Interface {
	return Interface{Index: index, Name: name, Addrs: []netip.Addr{a}, Gateways: []netip.Addr{addr(gw)}, GatewayTables: []uint32{table}}
}

// TestChecks breaks a healthy host in one way after the other and looks at what
// is found and at what is to be typed.
func TestChecks(t *testing.T) {
	errno := func(e syscall.Errno) error { return os.NewSyscallError("socket", e) }
	cases := []struct {
		name  string
		bad   func(*Host)
		found []string // checks, "?" for a notice, "!" for what is not known, "." for what may not be read
		typed []string
	}{
		{"healthy", func(*Host) {}, nil, nil},
		{"switched off", func(h *Host) { h.Probe = errno(syscall.ENOPROTOOPT) }, []string{"mptcp"}, []string{"sysctl -w net.mptcp.enabled=1"}},
		{"not built in", func(h *Host) { h.Probe = errno(syscall.EPROTONOSUPPORT); h.PMErr = errors.ErrUnsupported }, []string{"mptcp"}, nil},
		{"too old", func(h *Host) { h.Probe = errno(syscall.EINVAL); h.PMErr = errors.ErrUnsupported }, []string{"mptcp"}, nil},
		{"denied", func(h *Host) { h.Probe = errno(syscall.EPERM) }, []string{"mptcp"}, nil},
		{"no probe", func(h *Host) { h.Probe = errno(syscall.EMFILE) }, []string{"mptcp!"}, nil},
		{"userspace", func(h *Host) { h.Sysctls["net.mptcp.path_manager"] = "userspace" }, []string{"path-manager"}, []string{"sysctl -w net.mptcp.path_manager=kernel"}},
		{"userspace before 6.15", func(h *Host) {
			delete(h.Sysctls, "net.mptcp.path_manager")
			h.Sysctls["net.mptcp.pm_type"] = "1"
		}, []string{"path-manager"}, []string{"sysctl -w net.mptcp.pm_type=0"}},
		{"userspace with a program", func(h *Host) {
			h.Sysctls["net.mptcp.path_manager"], h.Daemon, h.Endpoints = "userspace", true, nil
		}, nil, nil},
		{"userspace, who knows", func(h *Host) {
			h.Sysctls["net.mptcp.path_manager"], h.DaemonErr = "userspace", errors.New("no")
		}, []string{"path-manager!"}, nil},
		{"no subflows", func(h *Host) { h.Limits = pathmanager.Limits{AddAddrAccepted: 1} }, []string{"limits"}, []string{"ip mptcp limits set subflows 2 add_addr_accepted 1"}},
		{"too few subflows", func(h *Host) {
			for i, name := range []string{"eth0", "eth1"} {
				a := netip.AddrFrom4([4]byte{10, 1, byte(i), 7})
				h.Interfaces = append(h.Interfaces, gateway(5+i, name, a, "10.1.0.1", uint32(50+i)))
				h.Ways = append(h.Ways, Way{Addr: a, Leaves: name, Bound: true})
				h.Endpoints = append(h.Endpoints, pathmanager.Endpoint{ID: uint8(5 + i), Addr: a, Flags: pathmanager.Subflow})
			}
		}, []string{"limits"}, []string{"ip mptcp limits set subflows 3 add_addr_accepted 0"}},
		{"no endpoint", func(h *Host) { h.Endpoints = nil }, []string{"endpoints"}, []string{"ip mptcp endpoint add 10.64.0.7 dev wwan0 subflow"}},
		{"an endpoint of the kernel's", func(h *Host) { h.Endpoints[0].Flags = pathmanager.Implicit }, []string{"endpoints"}, []string{"ip mptcp endpoint add 10.64.0.7 dev wwan0 subflow"}},
		{"an endpoint of nobody", func(h *Host) {
			h.Endpoints = append(h.Endpoints, pathmanager.Endpoint{ID: 9, Addr: addr("10.9.9.9"), Flags: pathmanager.Subflow})
		}, []string{"endpoints?"}, []string{"ip mptcp endpoint delete id 9"}},
		{"an address of a translator", func(h *Host) {
			h.Endpoints = append(h.Endpoints, pathmanager.Endpoint{ID: 9, Addr: addr("203.0.113.9"), Flags: pathmanager.Signal})
		}, nil, nil},
		{"one way out", func(h *Host) { h.Interfaces, h.Ways, h.Endpoints = h.Interfaces[:1], h.Ways[:1], nil }, nil, nil},
		{"IPv6 without endpoint", func(h *Host) {
			h.Target = &Target{Addr: netip.MustParseAddrPort("[2001:db8::9]:1"), Main: Try{Status: mptcp.Status{State: mptcp.Multipath}}}
			for i, a := range []string{"2001:db8:1::7", "2001:db8:2::7"} {
				ifc := &h.Interfaces[i]
				ifc.Addrs = append(ifc.Addrs, addr(a))
				ifc.Gateways, ifc.GatewayTables = append(ifc.Gateways, addr("fe80::1")), append(ifc.GatewayTables, tableMain)
				h.Ways = append(h.Ways, Way{Addr: addr(a), Leaves: ifc.Name, Bound: true, Primary: i == 0})
			}
		}, []string{"endpoints"}, []string{"ip mptcp endpoint add 2001:db8:2::7 dev wwan0 subflow"}},
		{"IPv6 without endpoint, and IPv4 with one", func(h *Host) {
			h.Interfaces[1].Addrs = append(h.Interfaces[1].Addrs, addr("2001:db8:2::7"))
			h.Interfaces[1].Gateways, h.Interfaces[1].GatewayTables = append(h.Interfaces[1].Gateways, addr("fe80::1")), []uint32{42, 42}
		}, []string{"endpoints?"}, []string{"ip mptcp endpoint add 2001:db8:2::7 dev wwan0 subflow"}},
		{"a tunnel", func(h *Host) {
			h.Interfaces = append(h.Interfaces, gateway(9, "wg0", addr("10.7.0.1"), "0.0.0.0", 51820))
			h.Interfaces[2].Aside = true
		}, nil, nil},
		{"everything through a tunnel", func(h *Host) {
			h.Endpoints = nil
			h.Interfaces = append(h.Interfaces, gateway(9, "wg0", addr("10.7.0.1"), "0.0.0.0", tableMain))
			h.Interfaces[2].Aside, h.Ways[0].Primary = true, false
			h.Ways = append(h.Ways, Way{Addr: addr("10.7.0.1"), Leaves: "wg0", Bound: true, Primary: true})
		}, nil, nil},
		{"no endpoint, but the peers announce", func(h *Host) {
			h.Endpoints, h.Limits.AddAddrAccepted, h.Counters["AddAddr"] = nil, 2, 4
		}, []string{"endpoints?"}, []string{"ip mptcp endpoint add 10.64.0.7 dev wwan0 subflow"}},
		{"wrong way, and a table", func(h *Host) { h.Ways[1].Leaves = "wlan0" }, []string{"routes"}, []string{"ip rule add from 10.64.0.7 table 42"}},
		{"wrong way, and no table", func(h *Host) {
			h.Ways[1].Leaves, h.Interfaces[1].GatewayTables[0] = "wlan0", tableMain
		}, []string{"routes"}, []string{"ip route add default via 10.64.0.1 dev wwan0 table 103", "ip rule add from 10.64.0.7 table 103"}},
		{"point to point", func(h *Host) {
			h.Ways[1].Leaves, h.Interfaces[1].GatewayTables[0] = "wlan0", tableMain
			h.Interfaces[1].Gateways[0] = netip.IPv4Unspecified()
		}, []string{"routes"}, []string{"ip route add default dev wwan0 table 103", "ip rule add from 10.64.0.7 table 103"}},
		{"bound, and a way", func(h *Host) { h.Ways[1].Leaves, h.Endpoints[0].IfIndex = "wlan0", 3 }, nil, nil},
		{"bound, and no way", func(h *Host) { h.Ways[1].Bound, h.Endpoints[0].IfIndex = false, 3 }, []string{"routes"}, []string{"ip rule add from 10.64.0.7 table 42"}},
		{"wrong way, and no gateway", func(h *Host) {
			h.Ways[1].Leaves, h.Interfaces[1].Gateways, h.Interfaces[1].GatewayTables = "wlan0", nil, nil
		}, []string{"routes"}, nil},
		{"no way and no gateway", func(h *Host) {
			h.Ways[1].Leaves, h.Interfaces[1].Gateways, h.Interfaces[1].GatewayTables = "", nil, nil
		}, []string{"routes?"}, nil},
		{"strict", func(h *Host) { h.Interfaces[1].ReversePath = 1 }, nil, nil},
		{"strict, and bound", func(h *Host) {
			h.Interfaces[1].Name, h.Interfaces[1].ReversePath = "eth0.7", 1
			h.Ways[1].Leaves, h.Endpoints[0].IfIndex = "wlan0", 3
		}, []string{"rp-filter"}, []string{"sysctl -w net.ipv4.conf.eth0/7.rp_filter=2"}},
		{"loose, and bound", func(h *Host) {
			h.Interfaces[1].ReversePath, h.Ways[1].Leaves, h.Endpoints[0].IfIndex = 2, "wlan0", 3
		}, nil, nil},
		{"announced, with a path of its own", func(h *Host) { h.Counters["AddAddr"] = 4 }, nil, nil},
		{"announced", func(h *Host) { oneWay(h); h.Counters["AddAddr"] = 4 }, []string{"announced"}, []string{"ip mptcp limits set subflows 2 add_addr_accepted 2"}},
		{"announced, and accepted", func(h *Host) { oneWay(h); h.Counters["AddAddr"], h.Limits.AddAddrAccepted = 4, 1 }, nil, nil},
		{"announced to a server", func(h *Host) { oneWay(h); h.Counters = mptcp.Counters{"AddAddr": 4, "MPCapableACKRX": 9} }, nil, nil},
		{"announced to who knows", func(h *Host) { oneWay(h); h.Counters["AddAddr"], h.Counters["MPCapableACKRX"] = 4, 9 }, []string{"announced?"}, []string{"ip mptcp limits set subflows 2 add_addr_accepted 2"}},
		{"announced, and limits zero", func(h *Host) { oneWay(h); h.Counters["AddAddr"], h.Limits.Subflows = 4, 0 }, []string{"limits"}, []string{"ip mptcp limits set subflows 2 add_addr_accepted 0"}},
		{"blackhole", func(h *Host) {
			h.Loopback = mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonHostSuppressed}
			h.Sysctls["net.mptcp.blackhole_timeout"] = "7200"
		}, []string{"blackhole"}, []string{"sysctl -w net.mptcp.blackhole_timeout=7200"}},
		{"no loopback", func(h *Host) { h.LoopbackErr = errors.New("no") }, []string{"blackhole!"}, nil},
		{"loopback falls back", func(h *Host) {
			h.Loopback = mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonNotAnswered}
		}, []string{"blackhole!"}, nil},
		{"firewall", func(h *Host) {
			h.Rules = []FirewallRule{{"inet", "filter", "input", 7, "drop"}, {"ip", "mangle", "out", 8, "strip"}}
		}, []string{"firewall", "firewall"}, []string{"nft delete rule inet filter input handle 7", "nft delete rule ip mangle out handle 8"}},
		{"firewall not known", func(h *Host) { h.FirewallErr = errors.New("no") }, []string{"firewall!"}, nil},
		{"firewall not to be read", func(h *Host) { h.FirewallErr = fmt.Errorf("reading %w", errUnread) }, []string{"firewall."}, nil},
		{"one address", func(h *Host) { announce(h, "192.168.1.7:443") }, []string{"listeners"}, []string{"ip mptcp endpoint add 10.64.0.7 port 443 signal"}},
		{"wildcard", func(h *Host) { announce(h, "0.0.0.0:443") }, nil, nil},
		{"both wildcards", func(h *Host) { announce(h, "[::]:443") }, nil, nil},
		{"both addresses", func(h *Host) { announce(h, "192.168.1.7:443", "10.64.0.7:443") }, nil, nil},
		{"loopback", func(h *Host) { announce(h, "127.0.0.1:443", "[::1]:443") }, nil, nil},
		{"IPv6", func(h *Host) { announce(h, "[2001:db8::1]:443") }, nil, nil},
		{"the kernel listens", func(h *Host) {
			announce(h, "192.168.1.7:443", "10.64.0.7:443")
			h.Listeners = h.Listeners[:1]
			h.Endpoints = append(h.Endpoints, pathmanager.Endpoint{ID: 3, Addr: addr("10.64.0.7"), Port: 443, Flags: pathmanager.Signal})
		}, nil, nil},
		{"no joins to the first", func(h *Host) {
			h.Sysctls["net.mptcp.allow_join_initial_addr_port"] = "0"
			h.Listeners = []netip.AddrPort{netip.MustParseAddrPort("[::]:443")}
		}, []string{"join-initial"}, []string{"sysctl -w net.mptcp.allow_join_initial_addr_port=1"}},
		{"no joins to the first, but others", func(h *Host) {
			announce(h, "[::]:443")
			h.Sysctls["net.mptcp.allow_join_initial_addr_port"] = "0"
		}, nil, nil},
		{"bbr", func(h *Host) {
			h.Sysctls["net.ipv4.tcp_congestion_control"] = "bbr"
			h.Sysctls["net.ipv4.tcp_allowed_congestion_control"] = "bbr cubic reno"
		}, []string{"congestion?"}, []string{"sysctl -w net.ipv4.tcp_congestion_control=cubic"}},
		{"bbr, where cubic may not be had", func(h *Host) { h.Sysctls["net.ipv4.tcp_congestion_control"] = "bbr" },
			[]string{"congestion?"}, []string{"sysctl -w net.ipv4.tcp_congestion_control=reno"}},
		{"no counters", func(h *Host) { h.CountersErr = errors.New("no") }, []string{"counters!"}, nil},
		{"no path manager", func(h *Host) { h.PMErr = errors.New("no") }, []string{"limits!", "endpoints!", "routes!", "rp-filter!", "listeners!"}, nil},
	}
	broken := make(map[string]bool)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := phone()
			c.bad(h)
			r := h.report()
			var found []string
			for _, result := range r.Results {
				for _, f := range result.Findings {
					mark := ""
					if f.State == Notice {
						mark = "?"
					}
					found = append(found, result.Check+mark)
					if f.Fault == "" || f.Consequence == "" || len(f.Fix) == 0 && f.Advice == "" {
						t.Errorf("%s: %+v", result.Check, f)
					}
					for _, s := range []string{f.Fault, f.Consequence} {
						if !strings.HasSuffix(s, ".") || strings.Contains(s, "  ") || strings.Contains(s, "%!") {
							t.Errorf("%s: not a sentence: %q", result.Check, s)
						}
					}
				}
				if result.State == Unknown && result.unread {
					found = append(found, result.Check+".")
				} else if result.State == Unknown {
					found = append(found, result.Check+"!")
				}
				if result.Summary == "" {
					t.Errorf("%s: no summary", result.Check)
				}
				broken[result.Check] = broken[result.Check] || result.State == Fault || result.State == Notice
			}
			if !slices.Equal(found, c.found) {
				t.Errorf("found %q, want %q", found, c.found)
			}
			var typed, planned, faults []string
			for _, result := range r.Results {
				for _, f := range result.Findings {
					typed = append(typed, f.Commands()...)
					if f.State == Fault {
						faults = append(faults, f.Commands()...)
					}
				}
			}
			if !slices.Equal(typed, c.typed) {
				t.Errorf("to be typed: %q, want %q", typed, c.typed)
			}
			for _, a := range r.Plan() {
				planned = append(planned, a.String())
			}
			if !slices.Equal(planned, faults) {
				t.Errorf("planned: %q, for the faults %q", planned, faults)
			}
			var b strings.Builder
			r.Write(term.New(&b))
			marked := func(marks string) bool {
				return slices.ContainsFunc(c.found, func(s string) bool { return strings.ContainsAny(s, marks) })
			}
			fault := slices.ContainsFunc(c.found, func(s string) bool { return !strings.ContainsAny(s, "?!.") })
			if r.Healthy != (!fault && !marked("!")) {
				t.Errorf("healthy: %v", r.Healthy)
			}
			verdict := r.verdict()
			if strings.HasPrefix(verdict, "Healthy") != r.Healthy || strings.Contains(verdict, "Not known: ") != marked("!.") {
				t.Errorf("healthy: %v, but: %s", r.Healthy, verdict)
			}
			for _, s := range c.typed {
				if !strings.Contains(b.String(), "  "+s+"\n") {
					t.Errorf("no line %q in\n%s", s, &b)
				}
			}
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range Checks() {
		if !broken[c.Name] && !strings.HasPrefix(c.Name, "target") && c.Name != "counters" {
			t.Errorf("no case in which %s finds something", c.Name)
		}
		if c.Reads == "" {
			t.Errorf("%s: what does it read?", c.Name)
		}
	}
}

func oneWay(h *Host) { h.Interfaces, h.Ways, h.Endpoints = h.Interfaces[:1], h.Ways[:1], nil }

// announce makes the phone a server that announces its second address.
func announce(h *Host, listeners ...string) {
	h.Endpoints[0].Flags = pathmanager.Signal
	for _, l := range listeners {
		h.Listeners = append(h.Listeners, netip.MustParseAddrPort(l))
	}
}

// TestTarget looks at what is made of attempts to reach a target.
func TestTarget(t *testing.T) {
	wifi, lte := addr("192.168.1.7"), addr("10.64.0.7")
	good := mptcp.Status{State: mptcp.Multipath}
	bad := func(r mptcp.Reason) mptcp.Status { return mptcp.Status{State: mptcp.Fallback, Reason: r} }
	try := func(from netip.Addr, dev string, s mptcp.Status, err error) Try {
		return Try{From: from, Dev: dev, Status: s, err: err}
	}
	base := func() *Target {
		return &Target{Name: "peer:443", Addr: netip.MustParseAddrPort("198.51.100.9:443"), TCP: Try{From: wifi},
			Main: try(wifi, "wlan0", good, nil), Subflows: make([]Subflow, 2)}
	}
	for _, c := range []struct {
		name  string
		bad   func(*Target)
		says  string // empty: nothing is found
		typed string
	}{
		{"good", func(*Target) {}, "", ""},
		{"no TCP", func(x *Target) { x.TCP.err = syscall.ECONNREFUSED }, "cannot be reached by TCP", ""},
		{"no file for TCP", func(x *Target) { x.TCP.err = os.NewSyscallError("socket", syscall.EMFILE) }, "", ""},
		{"no Multipath TCP", func(x *Target) { x.Main.err = syscall.ECONNRESET }, "the attempt by Multipath TCP fails", ""},
		{"no file for Multipath TCP", func(x *Target) { x.Main.err = os.NewSyscallError("socket", syscall.EMFILE) }, "", ""},
		{"reset at the data", func(x *Target) {
			x.Main.closed, x.Finished, x.Reset = true, true, true
			x.Others = []Try{{From: lte, Dev: "wwan0", Status: good, closed: true}}
		}, "reset at the first data", ""},
		{"reset at the data, only here", func(x *Target) {
			x.Main.closed, x.Finished, x.Reset = true, true, true
			x.Others = []Try{try(lte, "wwan0", good, nil)}
		}, "path of wlan0", "ip route add 198.51.100.9 via 10.64.0.1 dev wwan0 src 10.64.0.7"},
		{"closed by the peer", func(x *Target) { x.Main.closed, x.Finished = true, true }, "", ""},
		{"not answered", func(x *Target) { x.Main.Status = bad(mptcp.ReasonNotAnswered) }, "without the option", ""},
		{"dropped", func(x *Target) { x.Main.Status = bad(mptcp.ReasonSYNDropped) }, "not answered, those without", ""},
		{"reset", func(x *Target) { x.Main.Status = bad(mptcp.ReasonSYNReset) }, "refused", ""},
		{"late", func(x *Target) { x.Main.Status = bad(mptcp.ReasonFirstData) }, "lost after it", ""},
		{"suppressed", func(x *Target) { x.Main.Status = bad(mptcp.ReasonHostSuppressed) }, "", ""},
		{"only here", func(x *Target) {
			x.Main.Status = bad(mptcp.ReasonSYNDropped)
			x.Others = []Try{try(lte, "wwan0", good, nil)}
		}, "path of wlan0", "ip route add 198.51.100.9 via 10.64.0.1 dev wwan0 src 10.64.0.7"},
		{"everywhere", func(x *Target) {
			x.Main.Status = bad(mptcp.ReasonNotAnswered)
			x.Others = []Try{try(lte, "wwan0", bad(mptcp.ReasonNotAnswered), nil)}
		}, "without the option", ""},
		{"dead path", func(x *Target) {
			x.Missing, x.OtherTCP = []netip.Addr{lte}, []Try{try(lte, "wwan0", mptcp.Status{}, syscall.ETIMEDOUT)}
		}, "by TCP neither", ""},
		{"option lost there", func(x *Target) {
			x.Missing, x.OtherTCP = []netip.Addr{lte}, []Try{try(lte, "wwan0", mptcp.Status{}, nil)}
			x.Others = []Try{try(lte, "wwan0", bad(mptcp.ReasonNotAnswered), nil)}
		}, "reached by TCP, and not by Multipath TCP (not-answered)", ""},
		{"join lost", func(x *Target) {
			x.Missing, x.OtherTCP = []netip.Addr{lte}, []Try{try(lte, "wwan0", mptcp.Status{}, nil)}
			x.Others = []Try{try(lte, "wwan0", good, nil)}
		}, "MP_JOIN", "ip route add 198.51.100.9 via 10.64.0.1 dev wwan0 src 10.64.0.7; ip mptcp endpoint add 192.168.1.7 dev wlan0 subflow"},
		{"refused", func(x *Target) { x.Missing, x.Answered = []netip.Addr{lte}, 1 }, "does not let it in", ""},
		{"not tried", func(x *Target) { x.Missing = []netip.Addr{lte} }, "No subflow from 10.64.0.7", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := phone()
			h.Target = base()
			c.bad(h.Target)
			r := h.report()
			var says, typed []string
			for _, result := range r.Results {
				for _, f := range result.Findings {
					says = append(says, f.Fault)
					typed = append(typed, f.Commands()...)
					if f.Consequence == "" || len(f.Fix) == 0 && f.Advice == "" && c.name != "not tried" {
						t.Errorf("%+v", f)
					}
				}
			}
			if unknown := strings.HasPrefix(c.name, "no file"); unknown && r.Healthy {
				t.Error("healthy, and not known to be")
			}
			if all := strings.Join(says, " "); (all == "") != (c.says == "") || !strings.Contains(all, c.says) || len(says) > 1 {
				t.Errorf("found %q, want %q", says, c.says)
			}
			if got := strings.Join(typed, "; "); got != c.typed {
				t.Errorf("to be typed: %q, want %q", got, c.typed)
			}
		})
	}
	// Announced addresses that let nobody in.
	h := phone()
	oneWay(h)
	h.Target, h.Limits.AddAddrAccepted = base(), 2
	h.Target.Subflows, h.Target.Established, h.Target.AddAddrs = h.Target.Subflows[:1], 1, 1
	if r := h.report(); r.Healthy || r.Results[len(r.Results)-1].State != Fault {
		t.Errorf("%+v", r)
	}
	// With a fault of this host what is missing is no surprise.
	h = phone()
	h.Target, h.Limits = base(), pathmanager.Limits{}
	h.Target.Missing = []netip.Addr{lte}
	if faults, _ := h.report().Count(); faults != 1 {
		t.Errorf("%d faults", faults)
	}
}

func TestWrap(t *testing.T) {
	if got := wrap("one two three", 7); !slices.Equal(got, []string{"one two", "three"}) {
		t.Errorf("%q", got)
	}
	if got := wrap("", 7); !slices.Equal(got, []string{""}) {
		t.Errorf("%q", got)
	}
	if got := wrap("averylongword x", 7); !slices.Equal(got, []string{"averylongword", "x"}) {
		t.Errorf("%q", got)
	}
}
