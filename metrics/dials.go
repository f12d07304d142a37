package metrics

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// atOnce is how many dials a collection records itself, in a few milliseconds.
const atOnce = 10_000

// tally is what conntable has counted of dials, by result and duration.
type tally [states + 1][conntable.DialBuckets]conntable.Bucket

// dials puts the durations of dials into a histogram. OpenTelemetry has none
// that can be observed when it is collected, so the dials of each bucket are
// recorded then, each with the mean of their durations: the buckets and the sum
// are as if each had been recorded when it ended.
//
// A histogram takes one value at a time, at some hundred nanoseconds. So that no
// number of dials holds a collection up, those of one that finds very many are
// recorded beside it, and are in the next one.
type dials struct {
	histogram metric.Float64Histogram
	options   [states + 1][]metric.RecordOption // made once: each value is recorded without allocating

	recording sync.Mutex // held while somebody records
	then      tally      // what is recorded
}

// newDials begins now: what was before it may be in the histogram already, by
// an earlier registration.
func newDials(histogram metric.Float64Histogram, l *labels) *dials {
	d := &dials{histogram: histogram}
	for result := range d.options {
		d.options[result] = []metric.RecordOption{l.status[result]}
	}
	var s conntable.Sums
	s.Read()
	d.then = s.Dials
	return d
}

// record records the dials that there were between the last time and now. If
// that is still going on, they are left to the next time.
func (d *dials) record(now *tally) {
	if !d.recording.TryLock() {
		return
	}
	n := uint64(0)
	for result := range now {
		for i := range now[result] {
			n += now[result][i].Count - d.then[result][i].Count
		}
	}
	if n <= atOnce {
		defer d.recording.Unlock()
		d.catchUp(now)
		return
	}
	later := *now
	go func() { // ends when they are recorded
		defer d.recording.Unlock()
		d.catchUp(&later)
	}()
}

// catchUp is for who holds d.recording.
func (d *dials) catchUp(now *tally) {
	ctx := context.Background() // not that of a collection, which may be over by then
	for result := range now {
		for i, now := range now[result] {
			then := &d.then[result][i]
			n := now.Count - then.Count
			if n == 0 {
				continue
			}
			mean := within(i, float64(now.Nanos-then.Nanos)/float64(n))
			for range n {
				d.histogram.Record(ctx, mean/1e9, d.options[result]...)
			}
			// A dial that was being counted is in Nanos and not in Count: what
			// was not recorded remains for the next time.
			then.Count, then.Nanos = now.Count, min(then.Nanos+uint64(mean*float64(n)), now.Nanos)
		}
	}
}

// within moves d, in nanoseconds, into bucket i.
func within(i int, d float64) float64 {
	if i > 0 {
		d = max(d, float64(conntable.DialBounds[i-1])+1)
	}
	if i < len(conntable.DialBounds) {
		d = min(d, float64(conntable.DialBounds[i]))
	}
	return d
}
