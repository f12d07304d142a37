package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// A table is the same kind of work in several cases, each of them done in
// several ways.
type table struct {
	name    string // of the table, and of its picture
	title   string
	note    string // what a reader has to know
	base    string // the way that the others are compared to, or none
	figures []figure
	cases   []testCase

	hostCongestion bool // instead of the fair one

	// abreast is how many cases are measured at the same time, if not one: of work
	// that leaves the processors idle.
	abreast int

	// together has all turns of a round done at the same time, and in a brief
	// look all cases as well: for work that mostly waits.
	together bool
}

// A figure is what is measured of a case, and has a row of its own.
type figure struct {
	unit string
	less bool // is better
}

// A testCase is some work, done in several ways in turns.
type testCase struct {
	name   string
	rounds int
	limit  time.Duration // of one turn; 0: turnLimit

	// warm does a round that does not count.
	warm bool

	// prepare makes what all rounds share, and returns the ways.
	prepare func(*lab) []way
}

const turnLimit = 30 * time.Second

// brief is for a look at whether everything works: nothing is done for longer
// than it takes to see that.
var brief bool

// span is how long something is measured.
func span(d time.Duration) time.Duration {
	if brief {
		return d / 10
	}
	return d
}

// A way of doing it is a stack, or an option of one.
type way struct {
	name string
	do   func(*lab) []float64 // the table's figures
}

// A row is what was measured of one figure of a case: by way, in the order of
// the rounds.
type row struct {
	name    string
	figure  // that it is of
	ways    []string
	samples [][]float64
	err     error
}

// measure does all rounds of a case. The ways take turns, in an order that is
// drawn anew for each round, so that whatever else the machine does meets all
// of them alike. What was measured before an error is kept, in whole rounds.
func (t table) measure(c testCase) []row {
	rows := make([]row, len(t.figures))
	for i, f := range t.figures {
		rows[i] = row{name: c.name + ", " + f.unit, figure: f}
	}
	limit := c.limit
	if limit == 0 {
		limit = turnLimit
	}
	var failed error
	err := within(time.Hour, func(l *lab) {
		ways := c.prepare(l)
		for i := range rows {
			for _, w := range ways {
				rows[i].ways = append(rows[i].ways, w.name)
			}
			rows[i].samples = make([][]float64, len(ways))
		}
		first := 0
		if c.warm && !brief {
			first = -1
		}
		for n := first; n < c.rounds; n++ {
			var values [][]float64
			if values, failed = round(ways, limit, t.together); failed != nil {
				return
			}
			for way, v := range values {
				for i := range rows {
					if n >= 0 {
						rows[i].samples[way] = append(rows[i].samples[way], v[i])
					}
				}
			}
		}
	})
	if failed != nil {
		err = failed
	}
	for i := range rows {
		rows[i].err = err
	}
	return rows
}

// round has every way take one turn.
func round(ways []way, limit time.Duration, together bool) ([][]float64, error) {
	values, errs := make([][]float64, len(ways)), make([]error, len(ways))
	turn := func(i int) {
		if err := within(limit, func(l *lab) { values[i] = ways[i].do(l); l.told() }); err != nil {
			errs[i] = fmt.Errorf("%s: %w", ways[i].name, err)
		}
	}
	var wg sync.WaitGroup
	for _, i := range rand.Perm(len(ways)) {
		if together {
			wg.Go(func() { turn(i) })
			continue
		}
		turn(i)
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (r row) of(way string) []float64 {
	if i := slices.Index(r.ways, way); i >= 0 {
		return r.samples[i]
	}
	return nil
}

// ratios returns the ratio of the two ways in each round: what slows down a
// whole round drops out.
func (r row) ratios(way, base string) spread {
	a, b := r.of(way), r.of(base)
	var q []float64
	for i := range min(len(a), len(b)) {
		if v := a[i] / b[i]; !math.IsNaN(v) && b[i] != 0 {
			q = append(q, v)
		}
	}
	return newSpread(q)
}
