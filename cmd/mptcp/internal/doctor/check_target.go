package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/pathmanager"
)

func checkTarget(h *Host) (string, []Finding, error) {
	t := h.Target
	if t == nil {
		return "", nil, errSkip
	}
	if shortage(t.TCP.err) {
		return "", nil, fmt.Errorf("%s by TCP: %w", t.Name, t.TCP.err)
	}
	if t.TCP.err != nil {
		return "no TCP", []Finding{{
			State:       Fault,
			Fault:       fmt.Sprintf("%s cannot be reached by TCP: %v.", t.Name, t.TCP.err),
			Consequence: "That has nothing to do with Multipath TCP.",
			Advice:      "Is the address right, and does something listen there?",
		}}, nil
	}
	if h.off() {
		return fmt.Sprintf("TCP in %v", round(t.TCP.Took)), nil, nil
	}
	if shortage(t.Main.err) {
		return "", nil, fmt.Errorf("%v by Multipath TCP: %w", t.Addr, t.Main.err)
	}
	if t.Main.err != nil {
		return fmt.Sprintf("TCP in %v, and no Multipath TCP", round(t.TCP.Took)), []Finding{{
			State:       Fault,
			Fault:       fmt.Sprintf("%v is reached by TCP, and the attempt by Multipath TCP fails: %v.", t.Addr, t.Main.err),
			Consequence: fmt.Sprintf("Connections to %v fail, or take longer until they use TCP.", t.Addr),
			Advice: "Try again: a service that takes one connection at a time refuses the second. If it stays, something on the way " +
				"refuses what carries the option.",
		}}, nil
	}
	summary := fmt.Sprintf("%v: %v from %v (%s), in %v; TCP in %v", t.Addr, t.Main.Status, t.Main.From, t.Main.Dev,
		round(t.Main.Took), round(t.TCP.Took))
	s := t.Main.Status
	if s.State == mptcp.Multipath && !t.Reset || s.Reason == mptcp.ReasonHostSuppressed { // there is a check for that
		return summary, nil, nil
	}
	f := Finding{State: Fault, Consequence: fmt.Sprintf("Connections to %v use TCP, on one path.", t.Addr)}
	what := map[mptcp.Reason]string{
		mptcp.ReasonNotAnswered: "The answer comes without the option",
		mptcp.ReasonSYNDropped:  "SYNs with the option are not answered, those without it are",
		mptcp.ReasonSYNReset:    "SYNs with the option are refused, those without it are not",
		mptcp.ReasonFirstData:   "The handshake passes, and the option is lost after it",
		mptcp.ReasonMidStream:   "The option is lost in mid-stream",
	}[s.Reason]
	switch {
	case t.Reset:
		what = "Connections with the option are reset at the first data, those without it are not"
		f.Consequence = fmt.Sprintf("Connections to %v break off, where the program does not choose TCP.", t.Addr)
	case what == "":
		what = strings.TrimSuffix(s.Explain(), ".")
	}
	if s.Reason == mptcp.ReasonSYNDropped {
		f.Consequence += " Dials with package transport take up to half a second longer the first time; " +
			"those of others take three, and make the kernel switch Multipath TCP off for an hour."
	}
	if good := slices.IndexFunc(t.Others, t.passes); good >= 0 {
		o := t.Others[good]
		f.Fault = fmt.Sprintf("%s, from %v (%s). From %v (%s) Multipath TCP gets through: something on the path of %s interferes.",
			what, t.Main.From, t.Main.Dev, o.From, o.Dev, t.Main.Dev)
		f.Fix = h.by(o, t)
		f.Advice = fmt.Sprintf("The command sends what goes to %v by %s, which is all that this end can do. "+
			"The repair is up to whoever runs the other path.", t.Addr.Addr(), o.Dev)
		return summary, []Finding{f}, nil
	}
	f.Fault = fmt.Sprintf("%s: %v.", what, t.Addr)
	switch s.Reason {
	case mptcp.ReasonNotAnswered:
		f.Advice = "Either nothing there speaks Multipath TCP, or something on the way removes the option: from this end " +
			"they are the same. \"mptcp doctor\" on the other host tells. If its counter of MPCapableSYNRX stays while this " +
			"host dials, the option is lost before it arrives."
	default:
		f.Advice = "Something on the way interferes: the peer itself does not. From this end nothing can be repaired but by a " +
			"path that does not pass there, or a tunnel."
	}
	return summary, []Finding{f}, nil
}

// shortage says whether an error is about this process and tells nothing of the
// network.
func shortage(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// by is what sends connections to the target by another path.
func (h *Host) by(o Try, t *Target) []Action {
	ifc := h.byAddr(o.From)
	if ifc == nil {
		return nil
	}
	gw, _ := ifc.gateway(o.From.Is4())
	if !gw.IsValid() {
		return nil
	}
	dst := t.Addr.Addr()
	return []Action{addRoute{
		dst: netip.PrefixFrom(dst, dst.BitLen()), gateway: gw, dev: ifc.Name, index: ifc.Index, src: o.From,
	}}
}

func checkTargetPaths(h *Host) (string, []Finding, error) {
	t := h.Target
	if t == nil || !t.Main.multipath() || t.Reset {
		return "", nil, errSkip
	}
	summary := fmt.Sprintf("%d subflows", len(t.Subflows))
	if len(t.Subflows) == 1 {
		summary = "1 subflow"
	}
	if t.Finished && t.Established < 2 {
		return summary + "; the peer closed the connection before another could join", nil, nil
	}
	if h.faults {
		return summary, nil, nil // what was found above explains what is missing here
	}
	var findings []Finding
	for _, a := range t.Missing {
		findings = append(findings, h.missing(a, t))
	}
	if len(findings) == 0 && t.Established == 1 && t.AddAddrs > 0 && h.Limits.AddAddrAccepted > 0 && !h.userspace() {
		findings = append(findings, Finding{
			State:       Fault,
			Fault:       fmt.Sprintf("The peer announces %d further addresses, and no subflow to them is let in.", t.AddAddrs),
			Consequence: fmt.Sprintf("Connections to %v use one path, and die with it.", t.Addr),
			Advice: "Does the service listen at those addresses, and does a firewall let them through? " +
				"\"mptcp doctor\" on the other host tells.",
		})
	}
	return summary, findings, nil
}

// missing explains a subflow that did not come.
func (h *Host) missing(a netip.Addr, t *Target) Finding {
	dev := ""
	if ifc := h.byAddr(a); ifc != nil {
		dev = ifc.Name
	}
	f := Finding{
		State:       Fault,
		Consequence: fmt.Sprintf("Connections to %v use one path, and die with it.", t.Addr),
	}
	by := func(list []Try) (Try, bool) {
		i := slices.IndexFunc(list, func(x Try) bool { return x.From == a })
		if i < 0 {
			return Try{}, false
		}
		return list[i], true
	}
	tcp, tried := by(t.OtherTCP)
	alone, _ := by(t.Others)
	switch {
	case t.Answered > 0:
		f.Fault = fmt.Sprintf("The peer answers the further subflow from %v (%s), and then does not let it in.", a, dev)
		f.Advice = "Its limits allow no further subflows, or what answers there is a load balancer that sends them to another " +
			"host: \"mptcp doctor\" on the other host tells."
	case tried && tcp.err != nil:
		f.Fault = fmt.Sprintf("From %v (%s) %v cannot be reached, by TCP neither: %v.", a, dev, t.Addr, tcp.err)
		f.Advice = "That path is dead, or does not lead there: look at it with \"ping -I " + dev + "\" and \"traceroute\"."
	case tried && !alone.multipath():
		f.Fault = fmt.Sprintf("From %v (%s) %v is reached by TCP, and not by Multipath TCP (%v): something on that path interferes with the option.",
			a, dev, t.Addr, alone.Status.Reason)
		f.Advice = "From this end nothing can be repaired but by a path that does not pass there, or a tunnel."
	case tried:
		f.Fault = fmt.Sprintf("A connection of its own from %v (%s) uses Multipath TCP, and a further subflow from there is not let in: MP_JOIN is lost on that path, or the peer refuses it.",
			a, dev)
		f.Fix = h.by(alone, t)
		if len(f.Fix) > 0 && h.endpoint(t.Main.From) == nil {
			f.Fix = append(f.Fix, addEndpoint{pathmanager.Endpoint{
				Addr: t.Main.From, Flags: pathmanager.Subflow, IfIndex: h.index(t.Main.From),
			}, t.Main.Dev})
		}
		f.Advice = fmt.Sprintf("The commands turn the order round: connections to %v begin by %s and are joined by %s. "+
			"If the peer is the one that refuses, \"mptcp doctor\" there tells.", t.Addr.Addr(), dev, t.Main.Dev)
	default:
		f.Fault = fmt.Sprintf("No subflow from %v (%s) joins.", a, dev)
	}
	return f
}

func (h *Host) index(a netip.Addr) int {
	if ifc := h.byAddr(a); ifc != nil {
		return ifc.Index
	}
	return 0
}
