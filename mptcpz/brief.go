package mptcpz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// openings is the tally of connections that were opened, by role, and by state
// and reason when they were.
type openings = [2][4][32]uint64

// tallied reads it.
func tallied() openings {
	var s conntable.Sums
	s.Read()
	return s.Opened
}

// A brief finds the connections that were opened and have ended between two
// samples, which no sample shows: the tally has counted them, and no row is
// theirs. It adds what is counted and takes off what is seen. The tally of a
// sample is read before its rows, and counts a connection just after it can be
// seen, so that at worst the balance is too low, until the next sample.
type brief struct{ unseen [2][4][32]int64 }

func (b *brief) follow(before, now *sample) (text string, found bool) {
	for r := range b.unseen {
		for s := range b.unseen[r] {
			for reason := range b.unseen[r][s] {
				b.unseen[r][s][reason] += int64(now.opened[r][s][reason] - before.opened[r][s][reason])
			}
		}
	}
	for was, is := range pairs(before.rows, now.rows) {
		if was == nil {
			b.see(is)
		}
	}
	total := int64(0)
	for r := range b.unseen {
		for s := range b.unseen[r] {
			for _, n := range b.unseen[r][s] {
				total += n
			}
		}
	}
	if total < 0 {
		return "", false
	}
	if total > 0 {
		text = b.text(total)
	}
	*b = brief{}
	return text, total > 0
}

// begin takes off what the first sample has seen and its tally has not counted.
func (b *brief) begin(first *sample) {
	for i := range first.rows {
		if r := &first.rows[i]; r.c.Opened().After(first.at) {
			b.see(r)
		}
	}
}

func (b *brief) see(r *row) { b.unseen[r.c.Role()&1][r.state%4][r.reason%32]-- }

// text says how many they were, and what. The latter is left out where it is
// not known: a connection that was seen may have been something else before.
func (b *brief) text(total int64) string {
	text := "1 connection was opened and ended between two looks"
	if total > 1 {
		text = fmt.Sprintf("%d connections were opened and ended between two looks", total)
	}
	type part struct {
		n    int64
		text string
	}
	var parts []part
	for s := range b.unseen[0] {
		for reason := range b.unseen[0][s] {
			dialed, accepted := b.unseen[0][s][reason], b.unseen[1][s][reason]
			if dialed < 0 || accepted < 0 {
				return text + "."
			}
			if n := dialed + accepted; n > 0 {
				word := verdict(&row{state: mptcp.State(s), reason: mptcp.Reason(reason)})
				if total > 1 {
					word = fmt.Sprintf("%d %s", n, word)
				}
				parts = append(parts, part{n, word})
			}
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.n, a.n) })
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = p.text
	}
	return text + ": " + strings.Join(words, ", ") + "."
}

// briefly tells of them in one event.
func (l *eventLog) briefly(before, now *sample) {
	if text, found := l.brief.follow(before, now); found {
		l.add(event{At: now.at, Kind: "brief", Text: text})
	}
}
