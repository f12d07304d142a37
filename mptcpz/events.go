package mptcpz

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// An event is something that happened.
type event struct {
	N          uint64       `json:"n"` // counts up
	At         time.Time    `json:"at"`
	Kind       string       `json:"kind"` // opened, changed, subflows, ended, more, brief, host
	Connection uint64       `json:"connection,omitempty"`
	State      mptcp.State  `json:"state,omitempty"`
	Reason     mptcp.Reason `json:"reason,omitempty"`
	Text       string       `json:"text"`
}

// An eventLog remembers the newest events.
type eventLog struct {
	n     uint64 // of all events ever
	list  []event
	brief brief
}

// add is the only way into the log.
func (l *eventLog) add(e event) {
	l.n++
	e.N = l.n
	if len(l.list) == memory {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, e)
}

// follow adds what is different between two samples, and returns the newest
// events. Of connections that came and went between the samples there is no more
// than their number.
func (l *eventLog) follow(before, now *sample) []event {
	if before != nil {
		l.host(before, now)
		l.connections(before, now)
		l.briefly(before, now)
	} else {
		l.brief.begin(now)
	}
	return slices.Clone(l.list)
}

func (l *eventLog) host(before, now *sample) {
	was, is := ability(before.probe), ability(now.probe)
	if was == is {
		return
	}
	text := "This host can open Multipath TCP connections again."
	if now.probe != nil {
		text = "This host can not open Multipath TCP connections any more: " + explainProbe(now.probe)
	}
	l.add(event{At: now.at, Kind: "host", Reason: is, Text: text})
}

// ability tells the answers of Probe apart.
func ability(err error) mptcp.Reason {
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return mptcp.ReasonHostError
	}
	return mptcp.ProbeReason(err)
}

func (l *eventLog) connections(before, now *sample) {
	told, opened, ended, changed := 0, 0, 0, 0
	tell := func(e event, more *int) {
		if told++; told > burst {
			*more++
			return
		}
		l.add(e)
	}
	for was, is := range pairs(before.rows, now.rows) {
		switch {
		case was == nil:
			e := is.event("opened", is.c.Opened(), "opened: "+verdict(is))
			tell(e, &opened)
		case is == nil:
			tell(was.event("ended", now.at, "ended after "+age(now.at.Sub(was.c.Opened()))+": was "+verdict(was)+total(was)), &ended)
		case was.state != is.state || was.reason != is.reason:
			tell(is.event("changed", now.at, "changed from "+verdict(was)+" to "+verdict(is)), &changed)
		case was.subflows != is.subflows && is.state == mptcp.Multipath:
			tell(is.event("subflows", now.at, subflowText(int(was.subflows), int(is.subflows))), &changed)
		}
	}
	if opened+ended+changed > 0 {
		l.add(event{At: now.at, Kind: "more", Text: fmt.Sprintf("In the same second, of further connections, %d opened, %d changed and %d ended.",
			opened, changed, ended)})
	}
}

func (r *row) event(kind string, at time.Time, text string) event {
	direction := "from"
	if r.c.Role() == transport.Dialed {
		direction = "to"
	}
	return event{At: at, Kind: kind, Connection: r.id, State: r.state, Reason: r.reason,
		Text: fmt.Sprintf("#%d %s %s %s", r.id, direction, addrPort(r.c.RemoteAddr()), text)}
}

func verdict(r *row) string {
	if r.reason == mptcp.ReasonUnknown {
		return r.state.String()
	}
	return r.state.String() + " (" + r.reason.String() + ")"
}

func total(r *row) string {
	if !r.bytesKnown {
		return ""
	}
	return ", sent " + size(r.sent) + ", received " + size(r.received)
}

func subflowText(was, is int) string {
	switch {
	case is > was && is == 2:
		return "was joined by a second subflow"
	case is > was:
		return fmt.Sprintf("was joined by another subflow: there are %d", is)
	case is == 1:
		return "lost a subflow: there is 1 left"
	}
	return fmt.Sprintf("lost a subflow: there are %d left", is)
}

// age writes how long something took, in two digits or so.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size writes a number of bytes in the unit that suits it.
func size(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1000, 0
	for ; v >= 999.5 && u < len(units)-1; u++ {
		v /= 1000
	}
	if v < 9.995 {
		return fmt.Sprintf("%.1f %cB", v, units[u])
	}
	return fmt.Sprintf("%.0f %cB", v, units[u])
}
