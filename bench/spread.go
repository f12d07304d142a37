package main

import (
	"fmt"
	"math"
	"slices"
)

// A spread is where the middle of some samples is, and how sure that is.
type spread struct {
	n                   int
	median              float64
	quarter, threeQuart float64 // half of the samples are between them
	least, most         float64 // the median of all that might have been is between them, in 95 of 100 cases
}

// newSpread describes samples. Nothing is assumed about how they are
// distributed: the bounds are samples themselves, those whose ranks are 1.96
// standard deviations of a binomial distribution away from the middle.
func newSpread(samples []float64) spread {
	n := len(samples)
	if n == 0 {
		return spread{}
	}
	s := slices.Sorted(slices.Values(samples))
	k := max(0, int(float64(n)/2-0.98*math.Sqrt(float64(n)))-1)
	return spread{n, quantile(s, 0.5), quantile(s, 0.25), quantile(s, 0.75), s[k], s[n-1-k]}
}

// quantile returns the sample at p of the way through sorted samples, or what
// is between two of them.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) || at == float64(i) || sorted[i] == sorted[i+1] { // both may be infinite
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// digits prints three digits that count.
func digits(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "∞"
	case v >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// share prints a ratio.
func share(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "∞"
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
