package handover

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

func gapOf(r result) time.Duration { return r.gap }
func lagOf(r result) time.Duration { return r.lag }

// cell is the median and the maximum of what was measured, in seconds.
func cell(b *testing.B, c setup, all []result, of func(result) time.Duration) (text string, median time.Duration) {
	var gaps []time.Duration
	never, ended := 0, 0
	for _, r := range all {
		if r.err != nil {
			b.Logf("%v, %s: %v", c, c.lever.name, r.err)
			never++
			continue
		}
		gaps = append(gaps, of(r))
		if r.failed > 0 {
			ended++
		}
	}
	var s []string
	if len(gaps) > 0 {
		slices.Sort(gaps)
		median = gaps[(len(gaps)-1)/2]
		s = append(s, fmt.Sprintf("%.2f (%.2f)", median.Seconds(), gaps[len(gaps)-1].Seconds()))
	}
	if ended > 0 {
		s = append(s, fmt.Sprintf("streams ended: %d", ended))
	}
	if never > 0 {
		s = append(s, fmt.Sprintf("never went on: %d", never))
	}
	return strings.Join(s, ", "), median
}

// measured measures each setup once in each round of b.
func measured(b *testing.B, setups []setup) [][]result {
	results := make([][]result, len(setups))
	n := 0
	for b.Loop() {
		for i, r := range several(b, setups, 1) {
			results[i] = append(results[i], r...)
		}
		n++
	}
	b.ReportMetric(0, "ns/op")
	fmt.Printf("\nSeconds, median (maximum) of %d\n", n)
	return results
}

// table prints rows of cells as Markdown.
func table(rows [][]string) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug)
	for i, row := range rows {
		fmt.Fprintf(w, "| %s \t\n", strings.Join(row, "\t "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat(" --- \t", len(row)))
		}
	}
	w.Flush()
}

// BenchmarkHandover prints the longest gap of each handover, and the longest
// time that a message was on its way, as the median and the maximum of b.N
// repetitions, and how many streams ended. The last two columns are the medians
// without privilege and with it as parts of that of package net.
func BenchmarkHandover(b *testing.B) {
	setups := handovers(stacks...)
	results := measured(b, setups)
	fmt.Print("\nLongest gap\n\n")
	compared(b, setups, results, gapOf)
	fmt.Print("\nOldest message on arrival, without those that were lost\n\n")
	compared(b, setups, results, lagOf)
}

func compared(b *testing.B, setups []setup, results [][]result, of func(result) time.Duration) {
	header := []string{"Handover"}
	for _, s := range stacks {
		header = append(header, s.String())
	}
	rows := [][]string{append(header, "quick / net", "Manager / net")}
	medians := make(map[stack]time.Duration)
	for i, c := range setups {
		row := rows[len(rows)-1]
		if row[0] != c.what() {
			row = make([]string, len(rows[0]))
			row[0] = c.what()
			rows = append(rows, row)
			clear(medians)
		}
		row[1+c.stack], medians[c.stack] = cell(b, c, results[i], of)
		for i, s := range []stack{quick, managed} {
			if medians[s] > 0 && medians[std] > 0 {
				row[1+len(stacks)+i] = fmt.Sprintf("%.2f", medians[s].Seconds()/medians[std].Seconds())
			}
		}
	}
	table(rows)
}

// BenchmarkLevers does the same for everything that might make it shorter.
func BenchmarkLevers(b *testing.B) {
	var setups []setup
	header := []string{"Lever"}
	for _, l := range levers {
		if pick := regexp.MustCompile(*onlyLevers); !pick.MatchString(l.name) {
			continue
		}
		for _, k := range kinds {
			if k.name != "link down" && k.name != "silence" && k.name != "silence to client" {
				continue
			}
			for _, backup := range []bool{false, true} {
				if c := (setup{kind: k, backup: backup, lever: l}); strings.Contains(c.String(), *only) {
					setups = append(setups, c)
				}
			}
		}
	}
	results := measured(b, setups)
	fmt.Print("\nLongest gap\n\n")
	var rows [][]string
	for i, c := range setups {
		name := c.lever.name
		if c.lever.needs != "" {
			name += " (" + c.lever.needs + ")"
		}
		if len(rows) == 0 || rows[len(rows)-1][0] != name {
			rows = append(rows, []string{name})
		}
		if len(rows) == 1 {
			header = append(header, c.what())
		}
		text, _ := cell(b, c, results[i], gapOf)
		rows[len(rows)-1] = append(rows[len(rows)-1], text)
	}
	table(append([][]string{header}, rows...))
}
