package transport_test

import (
	"slices"
	"testing"
	"time"
)

// turns times several ways of doing the same thing, one after the other in
// each round.
type turns struct {
	names []string
	times [][]time.Duration
}

func newTurns(names ...string) *turns {
	return &turns{names: names, times: make([][]time.Duration, len(names))}
}

// run does one round. If f calls add itself, that counts and not the time that
// it took.
func (t *turns) run(f func(i int)) {
	for i := range t.names {
		n := len(t.times[i])
		start := time.Now()
		f(i)
		if len(t.times[i]) == n {
			t.add(i, time.Since(start))
		}
	}
}

func (t *turns) add(i int, d time.Duration) { t.times[i] = append(t.times[i], d) }

func (t *turns) median(i int) float64 {
	d := slices.Sorted(slices.Values(t.times[i]))
	return float64(d[len(d)/2])
}

// report reports each median, and the ratio of the last to that of base.
func (t *turns) report(b *testing.B, base int) {
	for i, name := range t.names {
		b.ReportMetric(t.median(i)/1e3, name+"-µs")
	}
	last := len(t.names) - 1
	b.ReportMetric(t.median(last)/t.median(base), t.names[last]+"/"+t.names[base])
	b.ReportMetric(0, "ns/op")
}
