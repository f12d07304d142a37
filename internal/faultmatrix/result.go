package faultmatrix

import (
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
)

// A Stack is who dials and who listens.
type Stack uint8

// The stacks.
const (
	Ours Stack = iota // grpcdialer, and a listener of package transport
	Std               // package net with its own Multipath TCP
)

// String names the stack as in the tables.
func (s Stack) String() string { return [...]string{"transport", "net"}[s] }

// A Family is a version of IP.
type Family uint8

// The families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "IPv4" or "IPv6".
func (f Family) String() string { return map[Family]string{IPv4: "IPv4", IPv6: "IPv6"}[f] }

// A Cell is one measurement of the matrix.
type Cell struct {
	Fault  *Fault
	Family Family
	Stack  Stack
}

// String names the cell.
func (c Cell) String() string {
	return c.Fault.Name + ", " + c.Family.String() + ", " + c.Stack.String()
}

// Seen is what one side says of a connection: the string of an mptcp.Status,
// or what package net says, "yes" or "no". It is empty if there is none.
type Seen string

// none is how Seen is shown where the side has no connection.
const none = "–"

// A Trace is what one side says in the course of time: after the connect, after
// the first data, after the fault.
type Trace [3]Seen

// String shows each change: "multipath → fallback (mid-stream)".
func (t Trace) String() string {
	words := make([]string, 0, len(t))
	for i, s := range t {
		if s == "" {
			s = none
		}
		if i == 0 || string(s) != words[len(words)-1] {
			words = append(words, string(s))
		}
	}
	return strings.Join(words, " → ")
}

// trace reads what is expected of a fault that begins in mid-stream, or before.
func trace(want string, mid bool) Trace {
	words := strings.Split(want, " → ")
	for i, w := range words {
		if w == none {
			words[i] = ""
		}
	}
	at := func(i int) Seen { return Seen(words[min(i, len(words)-1)]) }
	if mid && len(words) == 2 {
		return Trace{at(0), at(0), at(1)}
	}
	return Trace{at(0), at(1), at(2)}
}

// yesNo turns what this module sees into what package net says of the same.
func yesNo(trace string) string {
	words := strings.Split(trace, " → ")
	for i, w := range words {
		switch state, _, _ := strings.Cut(w, ","); state {
		case none:
		case multi:
			words[i] = "yes"
		default:
			words[i] = "no"
		}
	}
	return strings.Join(slices.Compact(words), " → ")
}

// Fate is what becomes of an RPC: "ok", "ok, altered" if the answer is not what
// was sent, or a gRPC status code.
type Fate string

// The fates of an RPC that completes.
const (
	OK      Fate = "ok"
	Altered Fate = "ok, altered"
)

// Completed says whether the RPC did, be it with the wrong answer.
func (f Fate) Completed() bool { return f == OK || f == Altered }

// A Result is what was measured in a cell.
type Result struct {
	Cell
	Broken []string // what went wrong with the measurement itself
	Log    []string // the timeline of the laboratory
	Before []string // what differed when it was measured the first time, if it was measured twice

	DialTime       time.Duration
	DialErr        error
	Client, Server Trace
	Joined         bool // the second path is in use

	// The stream has no fate if the RPC before it failed.
	First, Stream, Again Fate
	Stall                time.Duration // the longest that a tick has taken
	StreamTime           time.Duration // from the fault to the end of a stream that failed

	ClientMoved, ServerMoved mptcp.Counters
	Kernel                   mptcp.Counters // all that it has, for their names
}

// unknowns lists the moments for which it is not known what carries a
// connection, or why it is not Multipath TCP.
func unknowns(client, server Trace) (list []string) {
	for _, side := range []struct {
		name  string
		trace Trace
	}{{"client", client}, {"server", server}} {
		for i, when := range []string{"after the connect", "after the first data", "after the fault"} {
			seen := string(side.trace[i])
			state, _, _ := strings.Cut(seen, ",")
			switch {
			case strings.HasPrefix(seen, "unknown"), strings.HasPrefix(seen, "error"), state == "fallback", state == "tcp":
				list = append(list, side.name+" "+when+": "+seen)
			}
		}
	}
	return list
}
