package term

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestNoTerminal checks that what is no terminal gets neither colours nor
// frames.
func TestNoTerminal(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, w := range []*Writer{New(new(bytes.Buffer)), New(f)} {
		if w.Live || w.Color || w.Paint(Red, "x")+w.Style(Foreground(Red))+w.Bold("z")+w.Style("") != "xz" {
			t.Errorf("%+v", w)
		}
		if c, r := w.Size(); c != 80 || r != 24 {
			t.Errorf("%d columns, %d rows", c, r)
		}
	}
}

func TestPaint(t *testing.T) {
	w := Writer{Color: true}
	if s := w.Paint(Red, "x"); s != "\x1b[38;5;167mx\x1b[0m" {
		t.Errorf("%q", s)
	}
	if s := w.Style(Foreground(Red)+";"+Background(Blue)) + w.Style(""); s != "\x1b[0;38;5;167;48;5;68m\x1b[0m" {
		t.Errorf("%q", s)
	}
	if w.Paint(Red, "") != "" || w.Bold("") != "" {
		t.Error("colours around nothing")
	}
}

func TestCut(t *testing.T) {
	red := (&Writer{Color: true}).Paint(Red, "abc")
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"abcdef", 6, "abcdef"}, {"abcdef", 3, "abc"}, {"äöü", 2, "äö"}, {"", 5, ""},
		{red, 3, red}, {red + "def", 3, "\x1b[38;5;167mabc\x1b[0m\x1b[0m"}, {red, 2, "\x1b[38;5;167mab\x1b[0m"},
	} {
		got := Cut(c.line, c.columns)
		if got != c.want || Width(got) > c.columns {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.line, c.columns, got, c.want)
		}
	}
	if Width(red) != 3 {
		t.Errorf("Width(%q) = %d", red, Width(red))
	}
}

// TestFrame draws a frame over a longer one.
func TestFrame(t *testing.T) {
	var b bytes.Buffer
	w := Writer{Writer: &b}
	for _, text := range []string{"one\ntwo\nthree\n", "one\n"} {
		if err := w.Frame(text); err != nil {
			t.Fatal(err)
		}
	}
	w.End()
	w.End() // once is enough
	want := "\x1b[?25l\rone\x1b[K\n\rtwo\x1b[K\n\rthree\x1b[K\n" + "\x1b[3A\rone\x1b[K\n\x1b[J" + "\x1b[?25h"
	if b.String() != want {
		t.Errorf("%q, want %q", &b, want)
	}
	b.Reset()
	if err := w.Frame(strings.Repeat("line\n", 100)); err != nil || strings.Count(b.String(), "\n") != 23 {
		t.Errorf("%d lines, %v", strings.Count(b.String(), "\n"), err)
	}
}

func FuzzCut(f *testing.F) {
	f.Add("\x1b[38;5;167mabc\x1b[0m", 2)
	f.Fuzz(func(t *testing.T, line string, columns int) {
		if columns < 0 || columns > 1000 {
			return
		}
		if got := Cut(line, columns); Width(got) > columns {
			t.Errorf("Cut(%q, %d) = %q", line, columns, got)
		}
	})
}
