package faultmatrix

import (
	"slices"
	"sync"
)

// workers is how many cells are measured at a time. A cell waits for most of
// its time, and a network of the laboratory is a user of processors.
const workers = 12

// Cells lists what there is to measure, for the faults that match.
func Cells(match func(*Fault) bool) []Cell {
	var cells []Cell
	for i := range Faults {
		for _, family := range []Family{IPv4, IPv6} {
			for _, stack := range []Stack{Ours, Std} {
				if f := &Faults[i]; match == nil || match(f) {
					cells = append(cells, Cell{f, family, stack})
				}
			}
		}
	}
	return cells
}

// Run measures cells, several at a time, and returns the results in the order
// of the cells. One that differs in what may be noise is measured once more. It
// must be called in a laboratory: see mptcptest.Main.
func Run(cells []Cell) []*Result {
	results := make([]*Result, len(cells))
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				results[i] = measure(cells[i])
			}
		})
	}
	// Those that wait for a deadline go first, so that none is left alone at
	// the end.
	for _, long := range []bool{true, false} {
		for i, c := range cells {
			if c.hangs() == long {
				next <- i
			}
		}
	}
	close(next)
	wg.Wait()
	for i, r := range results {
		if r.noise() {
			again := measure(cells[i]) // with the machine to itself
			again.Before = r.Check()
			results[i] = again
		}
	}
	return results
}

// hangs says whether an RPC of the cell is expected to.
func (c Cell) hangs() bool {
	w := c.want()
	return slices.Contains([]string{w.First, w.Stream, w.Again}, deadline)
}
