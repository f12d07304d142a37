// Package mallocs counts allocations, for tests that compare.
package mallocs

import "runtime"

// Mean returns how many allocations a call of f makes, those of other goroutines
// included. It is testing.AllocsPerRun without rounding: the difference of two
// rounded means can be one where there is none.
func Mean(runs int, f func()) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(runs)
}
