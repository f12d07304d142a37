package faultmatrix

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
)

// A row of the document: what the dialer and the listener of this module did
// under one fault, with one version of IP or with both if they do not differ,
// and what package net did.
type row struct {
	fault    *Fault
	families string
	ours     []*Result // one for each family of the row
	std      []*Result
}

// rows groups results by fault.
func rows(results []*Result) []row {
	byCell := make(map[Cell]*Result)
	for _, r := range results {
		byCell[r.Cell] = r
	}
	var list []row
	for i := range Faults {
		f := &Faults[i]
		get := func(s Stack, v Family) *Result { return byCell[Cell{f, v, s}] }
		four := row{f, "4", []*Result{get(Ours, IPv4)}, []*Result{get(Std, IPv4)}}
		six := row{f, "6", []*Result{get(Ours, IPv6)}, []*Result{get(Std, IPv6)}}
		if four.ours[0] == nil || six.ours[0] == nil {
			continue
		}
		if alike(four.ours[0], six.ours[0]) && alike(four.std[0], six.std[0]) {
			list = append(list, row{f, "4, 6", append(four.ours, six.ours...), append(four.std, six.std...)})
			continue
		}
		list = append(list, four, six)
	}
	return list
}

// alike says whether two results differ in times only.
func alike(a, b *Result) bool {
	return a.Client == b.Client && a.Server == b.Server && (a.DialErr == nil) == (b.DialErr == nil) &&
		a.Joined == b.Joined && a.fates() == b.fates() && a.moved() == b.moved()
}

// fates are those of the first RPC, the stream and the RPC after the fault. Of
// several that are all right, all are shown.
func (r *Result) fates() [3]string {
	w := r.want()
	show := func(f Fate, want string) string {
		switch {
		case f == "":
			return none
		case f.is(want) && want != "":
			return want
		}
		return string(f)
	}
	return [3]string{show(r.First, w.First), show(r.Stream, w.Stream), show(r.Again, w.Again)}
}

// moved says in what the counters of client and server that moved differ from
// those that move if nothing is wrong. Where the ends may be the other way
// round, they are shown as they are expected.
func (r *Result) moved() [2]string {
	client, server := r.moves()
	if r.isTurned() {
		r = &Result{Cell: r.Cell, ClientMoved: count(client), ServerMoved: count(server)}
	}
	baseClient, baseServer := r.Fault.base()
	return [2]string{
		showMoves(moved(r.ClientMoved, client), baseClient),
		showMoves(moved(r.ServerMoved, server), baseServer),
	}
}

// count returns counters of which each has moved once.
func count(names []string) mptcp.Counters {
	m := make(mptcp.Counters)
	for _, name := range names {
		m[name] = 1
	}
	return m
}

// dial shows how long the dial took, the longest of several.
func dial(results []*Result) string {
	if results[0].DialErr != nil {
		return "none in " + showTime(firstTimeout)
	}
	return showTime(longest(results, func(r *Result) time.Duration { return r.DialTime }))
}

func stall(results []*Result) string {
	switch r := results[0]; {
	case r.Stream == "":
		return none
	case !r.Stream.Completed():
		return "ended after " + showTime(longest(results, func(r *Result) time.Duration { return r.StreamTime }))
	}
	return showTime(longest(results, func(r *Result) time.Duration { return r.Stall }))
}

func longest(results []*Result, f func(*Result) time.Duration) (d time.Duration) {
	for _, r := range results {
		d = max(d, f(r))
	}
	return d
}

func showTime(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// stdStates says in what package net's answers differ.
func (r row) stdStates() string {
	ours, std := r.ours[0], r.std[0]
	var list []string
	for i := range r.ours {
		if d := r.std[i].DialTime - r.ours[i].DialTime; d.Abs() > 300*time.Millisecond || std.DialErr != nil {
			list = append(list, "dial: "+dial(r.std))
			break
		}
	}
	states := differing([]string{yesNo(ours.Client.String()), yesNo(ours.Server.String())},
		[]string{std.Client.String(), std.Server.String()}, "client", "server")
	if states != "" {
		list = append(list, states)
	}
	return strings.Join(list, "; ")
}

// stdFates says in what the fate of package net's RPCs differs.
func (r row) stdFates() string {
	ours, std := r.ours[0].fates(), r.std[0].fates()
	return differing(ours[:], std[:], "first", "stream", "after")
}

// stdMoved says in what the counters differ that package net moved.
func (r row) stdMoved() string {
	ours, std := r.ours[0].moved(), r.std[0].moved()
	return differing(ours[:], std[:], "client", "server")
}

// differing lists what differs, with a name for each.
func differing(ours, std []string, names ...string) string {
	var list []string
	for i, name := range names {
		if ours[i] != std[i] {
			list = append(list, name+": "+cmp.Or(std[i], "as if nothing were wrong"))
		}
	}
	return strings.Join(list, "; ")
}
