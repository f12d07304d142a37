package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A report is what was measured so far, and how it is written.
type report struct {
	head    string
	quick   bool
	left    []string // tables that are not measured yet
	start   time.Time
	results []result
}

// A result is a table that was measured.
type result struct {
	table
	rows []row
}

// markdown writes the whole report. The pictures are beside it, if anywhere.
func (r *report) markdown(pictures bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmarks\n\n%s", r.head)
	if r.quick {
		b.WriteString("\n**This is a quick look**, with too few rounds to tell much: see that it works, and no more.\n")
	}
	if len(r.left) > 0 {
		fmt.Fprintf(&b, "\n**This is not finished**: %s are missing.\n", strings.Join(r.left, ", "))
	}
	if len(r.left) == 0 {
		fmt.Fprintf(&b, "\nAll of it took %.0f minutes.\n", max(1, time.Since(r.start).Minutes()))
	}
	r.judge(&b)
	for _, result := range r.results {
		result.write(&b)
		if pictures {
			fmt.Fprintf(&b, "\n![%s](%s)\n", result.title, result.picture())
		}
	}
	r.losses(&b)
	return b.Bytes()
}

// save writes the report to a file, and its pictures beside it.
func (r *report) save(file string) error {
	for _, result := range r.results {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), result.picture()), result.plot(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(file, r.markdown(true), 0o644)
}

// picture is the name of the table's picture.
func (r result) picture() string { return "bench-" + r.name + ".svg" }

// write writes the table in Markdown.
func (r result) write(b *bytes.Buffer) {
	how := "Median of the rounds, and between which two values half of them are."
	if r.base != "" {
		how = fmt.Sprintf("Median of the rounds; in bold the ratio to %s, median of the ratios of the same round, and between which two "+
			"values half of them are.", r.base)
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n%s\n", r.title, wrap(r.note), wrap(how))
	ways := r.ways()
	fmt.Fprintf(b, "| | rounds | %s |\n| --- | --- |%s\n", strings.Join(ways, " | "), strings.Repeat(" --- |", len(ways)))
	for _, row := range r.rows {
		fmt.Fprintf(b, "| %s | %d |", row.name, row.rounds())
		for _, way := range ways {
			fmt.Fprintf(b, " %s |", row.cell(way, r.base))
		}
		b.WriteByte('\n')
	}
	for _, row := range r.rows {
		if row.err != nil {
			fmt.Fprintf(b, "\n%s: **failed**: %s\n", row.name, strings.ReplaceAll(row.err.Error(), "\n", "; "))
		}
	}
}

// ways returns all ways of the table, in the order in which they come up.
func (r result) ways() (ways []string) {
	for _, row := range r.rows {
		for _, way := range row.ways {
			if !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
		}
	}
	return ways
}

func (r row) rounds() int {
	if len(r.samples) == 0 {
		return 0
	}
	return len(r.samples[0])
}

func (r row) cell(way, base string) string {
	s := newSpread(r.of(way))
	if s.n == 0 {
		return ""
	}
	if q := r.ratios(way, base); way != base && q.n > 0 {
		return fmt.Sprintf("%s, **%s** (%s to %s)", digits(s.median), share(q.median), share(q.quarter), share(q.threeQuart))
	}
	return fmt.Sprintf("%s (%s to %s)", digits(s.median), digits(s.quarter), digits(s.threeQuart))
}

// wrap breaks a paragraph into lines.
func wrap(s string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+n > 118:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String() + "\n"
}
