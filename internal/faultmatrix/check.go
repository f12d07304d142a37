package faultmatrix

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
)

// Check compares the result with what is expected, and returns a line for each
// difference.
func (r *Result) Check() []string {
	return slices.Concat(r.Broken, r.checkTruth(), r.checkFates(), r.checkTimes(), r.checkMoves())
}

// noise says whether what differs may be the machine's doing: which counters move,
// how long it takes and whether it is in time depends on which segment is under
// way when a fault begins. What an end says of itself does not, but for a race;
// nor does a dial that fails, an answer that is wrong, or what a kernel can count.
func (r *Result) noise() bool {
	if len(r.Check()) == 0 {
		return false
	}
	return r.Fault.Race || len(r.Broken) == 0 && len(r.checkTruth()) == 0 && !r.lacks()
}

// lacks says whether the kernel has not all of the counters that are to move.
func (r *Result) lacks() bool {
	client, server := r.moves()
	return slices.ContainsFunc(slices.Concat(client, server), func(name string) bool {
		_, ok := r.Kernel[name]
		return !ok
	})
}

// differences collects the lines of Check.
type differences []string

func (d *differences) add(what string, got, want any) {
	*d = append(*d, fmt.Sprintf("%s: %v, want %v", what, got, want))
}

// checkTruth compares what the ends saw and got.
func (r *Result) checkTruth() (d differences) {
	w := r.want()
	mid := r.Fault.Mid != nil
	if want := trace(w.Client, mid); r.Client != want {
		d.add("client", r.Client, want)
	}
	if want := trace(w.Server, mid); r.Server != want {
		d.add("server", r.Server, want)
	}
	if r.Stack == Ours && r.DialErr != nil {
		d.add("dial", r.DialErr, "a connection, as TCP would make")
	}
	for _, f := range r.rpcs() {
		if f.got == Altered && !f.got.is(f.want) {
			d.add(f.name, f.got, f.want)
		}
	}
	return d
}

// A fated is an RPC, what became of it, and what was to.
type fated struct {
	name string
	got  Fate
	want string
}

// rpcs lists the RPCs that were made.
func (r *Result) rpcs() []fated {
	w := r.want()
	all := []fated{{"first RPC", r.First, w.First}, {"RPC after the fault", r.Again, w.Again}}
	if r.First.Completed() {
		all = append(all, fated{"stream", r.Stream, w.Stream})
	}
	return all
}

// checkFates compares what became of the second path and of RPCs.
func (r *Result) checkFates() (d differences) {
	if want := r.Fault.TwoPaths && !r.Fault.OneSubflow; r.Joined != want {
		d.add("second path in use", r.Joined, want)
	}
	for _, f := range r.rpcs() {
		if f.got != Altered && !f.got.is(f.want) {
			d.add(f.name, f.got, f.want)
		}
	}
	return d
}

// checkTimes compares times with what they may be.
func (r *Result) checkTimes() (d differences) {
	w := r.want()
	if most := cmp.Or(w.Dial, time.Second); r.DialTime > most {
		d.add("dial", r.DialTime, fmt.Sprint("at most ", most))
	}
	if most := cmp.Or(w.Stall, 4*time.Second); r.Stream.Completed() && r.Stall > most {
		d.add("stall", r.Stall, fmt.Sprint("at most ", most))
	}
	return d
}

// checkMoves compares the counters that moved with those that are to, no more
// and no fewer.
func (r *Result) checkMoves() differences {
	if r.isTurned() {
		return r.checkCounters(r.turned())
	}
	return r.checkCounters(r.moves())
}

// isTurned says whether what moved is nearer to what is expected with the ends
// the other way round, where that is right as well.
func (r *Result) isTurned() bool {
	return r.want().EitherEnd && len(r.checkCounters(r.turned())) < len(r.checkCounters(r.moves()))
}

func (r *Result) checkCounters(client, server []string) (d differences) {
	for _, side := range []struct {
		name string
		got  mptcp.Counters
		want []string
	}{{"client", r.ClientMoved, client}, {"server", r.ServerMoved, server}} {
		got := moved(side.got, side.want)
		for _, name := range missing(side.want, got) {
			if _, ok := r.Kernel[name]; ok {
				d.add(side.name+"'s counter "+name, "has not moved", "has moved")
			} else {
				d.add(side.name+"'s counter "+name, "not in this kernel", "has moved")
			}
		}
		for _, name := range missing(got, side.want) {
			d.add(side.name+"'s counter "+name, "has moved", "has not moved")
		}
	}
	return d
}

// is says whether the fate is the one wanted, or one of several.
func (f Fate) is(want string) bool {
	return slices.Contains(strings.Split(cmp.Or(want, string(OK)), or), string(f))
}
