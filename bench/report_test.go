package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	if s := newSpread(nil); s.n != 0 {
		t.Errorf("nothing: %+v", s)
	}
	if s := newSpread([]float64{3, 1, 2}); s != (spread{3, 2, 1.5, 2.5, 1, 3}) {
		t.Errorf("three: %+v", s)
	}
	var v []float64
	for i := range 100 {
		v = append(v, float64(100-i))
	}
	// Tables of the sign test have the 40th and the 61st of 100.
	if s := newSpread(v); s.median != 50.5 || s.least != 40 || s.most != 61 {
		t.Errorf("a hundred: %+v", s)
	}
}

// rows of a report in which this module loses one row, wins one, and has one
// that failed.
func example() *report {
	same := func(v ...float64) [][]float64 {
		var s [][]float64
		for _, v := range v {
			s = append(s, slices.Repeat([]float64{v}, 6))
		}
		return s
	}
	stacks := []string{tcp, std, ours, reported}
	return &report{start: time.Now(), results: []result{{
		table: table{name: "unary", title: "Unary", base: std},
		rows: []row{
			{name: "1 in flight, " + rate, ways: stacks, samples: same(100, 100, 100, 97)},
			{name: "16 in flight, " + rate, ways: stacks, samples: same(90, 100, 110, 98.1)},
			{name: "64 in flight, " + rate, ways: stacks, samples: make([][]float64, 4), err: errors.New("stood still\nfor ever")},
			{name: "wait", figure: figure{less: true}, ways: stacks, samples: same(1, 1, 2, math.Inf(1))},
		},
	}}}
}

func TestReport(t *testing.T) {
	text := string(example().markdown(false))
	for _, want := range []string{
		"1 in flight, to package net | 0.98 | 0.970 | 0.970 to 0.970 | **no** |",
		"16 in flight, to package net | 0.98 | 0.981 | 0.981 to 0.981 | yes |",
		"64 in flight, to package net | 0.98 | | | not measured |",
		"thousand RPCs/s: **failed**: stood still; for ever",
		"| Unary | 1 in flight, thousand RPCs/s | this module, reporting | TCP | 0.970 |",
		"| Unary | 16 in flight, thousand RPCs/s | this module, reporting | package net | 0.981 |",
		"| Unary | wait | this module | TCP | 2.000 |",
		"| Unary | wait | this module, reporting | TCP | ∞ |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(text, "16 in flight, thousand RPCs/s | this module | ") {
		t.Error("it says that a row is lost which is won")
	}
	// All lines of a table have as many cells.
	cells := 0
	for line := range strings.Lines(text) {
		n := strings.Count(line, "|")
		if n > 0 && cells > 0 && n != cells {
			t.Errorf("%d cells, and %d before: %s", n-1, cells-1, line)
		}
		cells = n
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestPlot(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(string(example().results[0].plot())))
	rects := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
			for _, a := range e.Attr {
				if strings.ContainsAny(a.Value, "NI") { // NaN, Inf
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		}
	}
	if rects != 3+3*3 { // the legend, and the rows that did not fail
		t.Errorf("%d bars", rects)
	}
}

// A turn that hangs costs its row, and what was measured before stays.
func TestHang(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	turns := 0
	rows := table{figures: []figure{{"s", true}}}.measure(testCase{name: "x", rounds: 3, limit: time.Millisecond, prepare: func(*lab) []way {
		return []way{{ours, func(l *lab) []float64 {
			if turns++; turns > 1 {
				closed := make(chan struct{})
				l.Cleanup(func() { close(closed) })
				<-closed
			}
			return []float64{1}
		}}}
	}})
	if len(rows) != 1 || rows[0].err == nil || len(rows[0].of(ours)) != 1 {
		t.Errorf("%+v", rows)
	}
}

func TestFatal(t *testing.T) {
	ended := false
	err := within(time.Minute, func(l *lab) {
		l.Cleanup(func() { ended = true })
		l.check(io.ErrUnexpectedEOF)
		t.Error("it goes on")
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || !ended {
		t.Error(err, ended)
	}
}
