package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/multipath-go/mptcp"
)

func checkEnabled(h *Host) (string, []Finding, error) {
	reason := mptcp.ProbeReason(h.Probe)
	f := Finding{State: Fault, Consequence: "All connections of this host use TCP, on one path."}
	switch {
	case h.Probe == nil:
		return "on, Linux " + h.Kernel, nil, nil
	case reason == mptcp.ReasonHostDisabled:
		f.Fault = "Multipath TCP is switched off: net.mptcp.enabled is 0."
		f.Fix = []Action{setSysctl{"net.mptcp.enabled", "1"}}
		f.Advice = "Start the programs again that listen now: their sockets are for TCP only."
	case reason == mptcp.ReasonHostWithout:
		f.Fault = "The kernel was built without Multipath TCP (CONFIG_MPTCP)."
		f.Advice = "Boot a kernel that has it: those of the big distributions do."
	case reason == mptcp.ReasonHostTooOld:
		f.Fault = fmt.Sprintf("The kernel (%s) is too old for Multipath TCP.", h.Kernel)
		f.Advice = "Boot Linux 5.6 or later; 6.15 and later answer all questions of this program, some of them without root."
	case reason == mptcp.ReasonHostDenied:
		f.Fault = "A security policy (SELinux, AppArmor, seccomp, eBPF) refuses Multipath TCP sockets to this process."
		f.Advice = "Allow socket(2) with the protocol 262 (IPPROTO_MPTCP) in that policy."
	default:
		return "", nil, h.Probe
	}
	return "off", []Finding{f}, nil
}

func checkPathManager(h *Host) (string, []Finding, error) {
	name := h.sysctl("net.mptcp.path_manager")
	if name == "" {
		name = "kernel"
		if h.userspace() {
			name = "userspace"
		}
	}
	switch {
	case !h.userspace():
		return name, nil, nil
	case h.DaemonErr != nil:
		return "", nil, h.DaemonErr
	case h.Daemon:
		return "userspace, and a program listens to its events", nil, nil
	}
	fix := setSysctl{"net.mptcp.path_manager", "kernel"}
	if h.sysctl("net.mptcp.path_manager") == "" {
		fix = setSysctl{"net.mptcp.pm_type", "0"} // before Linux 6.15
	}
	return "userspace, and nobody there", []Finding{{
		State:       Fault,
		Fault:       "The path manager is left to a program (userspace), and none listens to its events.",
		Consequence: "Nobody opens second subflows: every connection uses one path, whatever endpoints there are.",
		Fix:         []Action{fix},
		Advice:      "Or start the program, such as mptcpd.",
	}}, nil
}

func checkBlackhole(h *Host) (string, []Finding, error) {
	switch {
	case h.off(), len(h.Rules) > 0: // the firewall may be what stands in the way of that connection
		return "", nil, errSkip
	case h.LoopbackErr != nil:
		return "", nil, h.LoopbackErr
	case h.Loopback.State == mptcp.Multipath:
		return "not active", nil, nil
	case h.Loopback.Reason != mptcp.ReasonHostSuppressed:
		return "", nil, errors.New("the connection to this host itself is: " + h.Loopback.String())
	}
	value := h.sysctl("net.mptcp.blackhole_timeout")
	if value == "" {
		value = "3600"
	}
	return "active", []Finding{{
		State: Fault,
		Fault: "The kernel has switched outgoing Multipath TCP off, because SYNs with the option were not answered " +
			"and one without it was.",
		Consequence: "No new connection of this host asks for Multipath TCP, to whatever destination, for an hour at first.",
		// To set it is to end it, whatever the value (net/mptcp/ctrl.c).
		Fix: []Action{setSysctl{"net.mptcp.blackhole_timeout", value}},
		Advice: "If it comes back, some path drops the option: \"mptcp doctor HOST:PORT\" finds it. " +
			"A host that was silent for three seconds is taken for such a path, too.",
	}}, nil
}

func checkFirewall(h *Host) (string, []Finding, error) {
	if h.FirewallErr != nil {
		return "", nil, h.FirewallErr
	}
	var findings []Finding
	for _, r := range h.Rules {
		does := map[string]string{
			"drop":   "drops packets that carry the option",
			"reject": "refuses packets that carry the option",
			"strip":  "takes the option off packets",
		}[r.Does]
		findings = append(findings, Finding{
			State:       Fault,
			Fault:       fmt.Sprintf("A rule of this host's firewall %s: table %s %s, chain %s, handle %d.", does, r.Family, r.Table, r.Chain, r.Handle),
			Consequence: "Connections that the rule concerns use TCP, or lose their further subflows.",
			Fix:         []Action{deleteFirewallRule{r}},
			Advice:      "Take it out of the place that it comes from as well: /etc/nftables.conf, or the program that manages the firewall.",
		})
	}
	if len(findings) == 0 {
		return "no nftables rule against the option", nil, nil
	}
	return fmt.Sprintf("%d against the option", len(findings)), findings, nil
}

func checkCongestion(h *Host) (string, []Finding, error) {
	name := h.sysctl("net.ipv4.tcp_congestion_control")
	if name == "" {
		return "", nil, errSkip
	}
	if !strings.HasPrefix(name, "bbr") {
		return name, nil, nil
	}
	better := "reno"
	// Others that there are a network namespace may not have (net/ipv4/tcp_cong.c).
	for word := range strings.FieldsSeq(h.sysctl("net.ipv4.tcp_allowed_congestion_control")) {
		if word == "cubic" {
			better = word
		}
	}
	return name, []Finding{{
		State:       Notice,
		Fault:       "The congestion control of this host is " + name + ", with which Multipath TCP is slow.",
		Consequence: "Programs that do not choose another for it get a part of the throughput. Package transport does.",
		Fix:         []Action{setSysctl{"net.ipv4.tcp_congestion_control", better}},
	}}, nil
}

func checkCounters(h *Host) (string, []Finding, error) {
	if h.off() && h.CountersErr != nil {
		return "", nil, errSkip
	}
	if h.CountersErr != nil {
		return "", nil, h.CountersErr
	}
	c := h.Counters
	parts := []string{fmt.Sprintf("dialed %d, of them multipath %d; accepted %d; joined %d",
		c["MPCapableSYNTX"]+c["MPCapableSYNTXDisabled"], c["MPCapableSYNACKRX"], c["MPCapableACKRX"],
		c["MPJoinSynAckRx"]+c["MPJoinAckRx"])}
	for _, n := range []struct{ counter, text string }{
		{"MPCapableFallbackSYNACK", "fell back in the handshake"},
		{"MPCapableDataFallback", "after it"},
		{"DssFallback", "later"},
		{"Blackhole", "blackholes seen"},
	} {
		if c[n.counter] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", n.text, c[n.counter]))
		}
	}
	return strings.Join(parts, "; "), nil, nil
}
