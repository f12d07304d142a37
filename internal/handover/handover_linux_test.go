package handover

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// longestGap is what a handover may take on a busy machine. What it takes on
// an idle one is in docs/handover.md.
const longestGap = 8 * time.Second

// handovers lists what there is to measure.
func handovers(stacks ...stack) []setup {
	var all []setup
	for _, k := range kinds {
		for _, backup := range []bool{false, true} {
			if backup && k.oneMode {
				continue
			}
			for _, s := range stacks {
				if s == tcp && (backup || k.ofEndpoint) || s == managed && k.ofEndpoint {
					continue // it has none, or puts it back
				}
				if c := (setup{stack: s, kind: k, backup: backup}); strings.Contains(c.String(), *only) {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// TestHandover: no stream fails when its path does, and no message is lost,
// duplicated, altered or out of order.
func TestHandover(t *testing.T) {
	setups := handovers(ours, quick)
	for i, all := range several(t, setups, *repetitions) {
		t.Run(setups[i].String(), func(t *testing.T) {
			var gaps []time.Duration
			for n, r := range all {
				gaps = append(gaps, r.gap.Round(time.Millisecond))
				if r.err != nil || r.failed > 0 {
					t.Errorf("repetition %d: %d streams failed: %v", n+1, r.failed, r.err)
				}
				if r.gap > longestGap {
					t.Errorf("repetition %d: nothing arrived for %v", n+1, r.gap)
				}
			}
			slices.Sort(gaps)
			t.Logf("longest gap, median and maximum of %d: %v, %v", len(gaps), gaps[(len(gaps)-1)/2], gaps[len(gaps)-1])
		})
	}
}

// TestQuickHandover: QuickHandover makes the gap shorter where two subflows are
// in use. A busy machine can only make it longer, so the best of three rounds
// counts.
func TestQuickHandover(t *testing.T) {
	const n = 3
	var setups []setup
	for _, k := range kinds {
		if k.name == "link down" || k.name == "silence" {
			setups = append(setups, setup{stack: quick, kind: k}, setup{stack: ours, kind: k})
		}
	}
	quicker := make(map[string]bool)
	for round := 0; round < 3 && len(setups) > 0; round++ {
		var gaps [2]time.Duration
		all := several(t, setups, n)
		for i, c := range setups {
			r := all[i]
			for _, r := range r {
				if r.err != nil {
					t.Errorf("%v: %v", c, r.err)
				}
			}
			slices.SortFunc(r, func(a, b result) int { return int(a.gap - b.gap) })
			gaps[i%2] = r[n/2].gap
			if i%2 == 1 {
				t.Logf("%s: medians of %v with it and %v without", c.what(), gaps[0], gaps[1])
				quicker[c.what()] = gaps[0] < gaps[1]*3/4
			}
		}
		setups = slices.DeleteFunc(setups, func(c setup) bool { return quicker[c.what()] })
	}
	for _, c := range setups {
		t.Errorf("%v is not quicker", c)
	}
}
