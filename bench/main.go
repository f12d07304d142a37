// Command bench measures what this module costs and what it gives, against TCP,
// against package net's Multipath TCP, and where it can do the same against
// QUIC, and writes what it found as tables and pictures. It needs no privilege:
// networks are built in namespaces.
//
//	go run . -o ../docs/benchmarks.md
//	go run . -run unary
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// tables are all there is, in the order of the report.
func tables() []table {
	return []table{
		unaryTable(), streamTable(), httpTable(), fileTable(), aggregationTable(), congestionTable(),
		dialTable(), connectTable(), handoverTable(), memoryTable(), callTable(), statusTable(),
	}
}

func main() { mptcptest.Main(program{}) }

type program struct{}

// Run measures and writes. It returns the exit status.
func (program) Run() int {
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func run() error {
	output := flag.String("o", "", "`file` to write the whole report to, with pictures beside it; empty: standard output")
	only := flag.String("run", "", "measure only what matches this `regexp`: \"table: row\"")
	rounds := flag.Float64("rounds", 1, "`factor` for the number of rounds; below 0.1 each of them is short as well")
	flag.Parse()
	testing.Init() // after the flags, so that those of tests are not among them
	brief = *rounds < 0.1
	if err := flag.Set("test.benchtime", span(100*time.Millisecond).String()); err != nil {
		return err
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *output != "" && *only != "" {
		return errors.New("-o writes whole reports, and -run measures parts: use -run without -o")
	}
	var chosen []table
	r := &report{head: head(), quick: *rounds < 1, start: time.Now()}
	for _, t := range tables() {
		t.cases = slices.DeleteFunc(t.cases, func(c testCase) bool { return !match.MatchString(t.name + ": " + c.name) })
		if len(t.cases) > 0 {
			chosen = append(chosen, t)
			r.left = append(r.left, t.name)
		}
	}
	var failed []error
	for _, t := range chosen {
		result, err := t.all(*rounds, r.start)
		failed = append(failed, err)
		r.results = append(r.results, result)
		r.left = r.left[1:]
		if *output != "" {
			// After every table, so that nothing is lost if a later one fails.
			if err := r.save(*output); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(os.Stderr, "%4.0f s\n", time.Since(r.start).Seconds())
	if *output == "" {
		os.Stdout.Write(r.markdown(false))
	}
	return errors.Join(failed...)
}

// all measures all cases of a table.
func (t table) all(rounds float64, start time.Time) (result, error) {
	congestion := fair
	if t.hostCongestion {
		congestion = hostCongestion
	}
	if err := useCongestion(congestion); err != nil {
		return result{table: t}, fmt.Errorf("congestion control %s: %w", congestion, err)
	}
	measured := make([][]row, len(t.cases))
	var waiting sync.WaitGroup
	abreast := max(1, t.abreast)
	if brief && t.together {
		abreast = len(t.cases)
	}
	turns := make(chan struct{}, abreast)
	for i, c := range t.cases {
		turns <- struct{}{}
		fmt.Fprintf(os.Stderr, "%4.0f s  %s: %s\n", time.Since(start).Seconds(), t.name, c.name)
		c.rounds = max(1, int(float64(c.rounds)*rounds))
		waiting.Go(func() {
			measured[i] = t.measure(c)
			<-turns
		})
	}
	waiting.Wait()
	var failed []error
	for i, c := range t.cases {
		if err := measured[i][0].err; err != nil {
			failed = append(failed, fmt.Errorf("%s: %s: %w", t.name, c.name, err))
		}
	}
	return result{t, slices.Concat(measured...)}, errors.Join(failed...)
}
