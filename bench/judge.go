package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A criterion is what a way has to reach, as a ratio to another one.
type criterion struct {
	what       string
	table, row string
	way, base  string
	least      float64
}

var criteria = []criterion{
	{"Unary rate with interceptors, 1 in flight", "unary", "1 in flight, " + rate, reported, std, 0.98},
	{"Unary rate with interceptors, 16 in flight", "unary", "16 in flight, " + rate, reported, std, 0.98},
	{"Unary rate with interceptors, 64 in flight", "unary", "64 in flight, " + rate, reported, std, 0.98},
	{"Streaming with interceptors", "stream", messages + ", Mbit/s", reported, std, 0.99},
	{"One stream over " + equalPaths, "aggregation", equalPaths + ", Mbit/s", ours, sum, 0.96},
	{"One stream over " + unequalRate, "aggregation", unequalRate + ", Mbit/s", ours, sum, 0.92},
	{"One stream over " + unequalDelay, "aggregation", unequalDelay + ", Mbit/s", ours, sum, 0.92},
}

// judge says of each criterion whether it holds.
func (r *report) judge(b *bytes.Buffer) {
	b.WriteString("\n## What has to hold\n\n" + wrap("The ratio is the median of those of the same round. Had there been more rounds, it would be between the "+
		"bounds, in 95 of 100 cases.") + "\n| | at least | measured | bounds | holds |\n| --- | --- | --- | --- | --- |\n")
	for _, c := range criteria {
		s := r.ratio(c)
		if s.n == 0 {
			fmt.Fprintf(b, "| %s, to %s | %.2f | | | not measured |\n", c.what, c.base, c.least)
			continue
		}
		holds := "yes"
		if s.median < c.least {
			holds = "**no**"
		}
		fmt.Fprintf(b, "| %s, to %s | %.2f | %.3f | %.3f to %.3f | %s |\n", c.what, c.base, c.least, s.median, s.least, s.most, holds)
	}
}

func (r *report) ratio(c criterion) spread {
	for _, result := range r.results {
		for _, row := range result.rows {
			if result.name == c.table && row.name == c.row {
				return row.ratios(c.way, c.base)
			}
		}
	}
	return spread{}
}

// losses lists where this module is worse than what it is compared to, by more
// than chance.
func (r *report) losses(b *bytes.Buffer) {
	b.WriteString("\n## Where this module loses\n\n" + wrap("Every row where it is worse than TCP or than package net, and where chance is no explanation: "+
		"the bounds of the ratio, as above, leave 1 out, in at least five rounds. What is lost to TCP and not to package net is the price of "+
		"Multipath TCP itself, which the kernel takes.") + "\n")
	n := 0
	for _, result := range r.results {
		for _, row := range result.rows {
			for _, way := range row.ways {
				for _, other := range rivals(way) {
					q := row.ratios(way, other)
					if q.n < 5 || !row.less && q.most >= 1 || row.less && q.least <= 1 {
						continue
					}
					if n == 0 {
						b.WriteString("| table | row | | to | ratio | bounds |\n| --- | --- | --- | --- | --- | --- |\n")
					}
					n++
					fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s to %s |\n", result.title, row.name, way, other, share(q.median), share(q.least), share(q.most))
				}
			}
		}
	}
	if n == 0 {
		b.WriteString("Nowhere.\n")
	}
}

// rivals are the ways that one of this module is compared to.
func rivals(way string) []string {
	rest, ok := strings.CutPrefix(way, ours)
	if !ok {
		return nil
	}
	return slices.Compact([]string{tcp, sum, std, std + rest})
}
