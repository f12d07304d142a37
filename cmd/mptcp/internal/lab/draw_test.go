package lab

import (
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// invented is a run that was never made: 20 and 10 Mbit/s, and the first path
// dead from 6 to 13 s.
func invented(until time.Duration) *Result {
	r := &Result{Script: Default, CutAt: 6 * time.Second, BackAt: 13 * time.Second, Samples: []Sample{{}}}
	s := Sample{}
	for s.At < until {
		s.At += Default.Tick
		if s.At <= r.CutAt || s.At > r.BackAt {
			s.First += 250_000
			s.TCPFirst += 250_000
		}
		s.Second += 125_000
		s.TCP, s.MPTCP = s.TCPFirst, s.First+s.Second
		r.Samples = append(r.Samples, s)
	}
	r.TCP = Stream{Bytes: s.TCP, Gap: 7 * time.Second, GapAt: 6 * time.Second}
	r.MPTCP = Stream{Bytes: s.MPTCP, Gap: 300 * time.Millisecond, GapAt: 6 * time.Second}
	return r
}

func TestRates(t *testing.T) {
	r := invented(24 * time.Second)
	for _, b := range r.bins(500 * time.Millisecond) {
		first := 20.0
		if b.from >= r.CutAt && b.to <= r.BackAt {
			first = 0
		}
		whole := b.to <= r.CutAt || b.from >= r.CutAt && b.to <= r.BackAt || b.from >= r.BackAt
		if whole && (b.first < first-0.01 || b.first > first+0.01 || b.tcp != b.first) || b.second < 9.99 || b.second > 10.01 {
			t.Errorf("%+v", b)
		}
	}
	if b := r.last(time.Second); b.first < 19.9 || b.first > 20.1 {
		t.Errorf("at the end: %+v", b)
	}
	if !r.Survived() {
		t.Error("it did not survive")
	}
	if s := r.Summary(); !strings.Contains(s, "7.0 s") || !strings.Contains(s, "0.30 s") {
		t.Error(s)
	}
}

// TestFrame checks that a frame fits, keeps its height, and that its columns
// are where they belong, with colours and without.
func TestFrame(t *testing.T) {
	for _, color := range []bool{false, true} {
		var heights []int
		for _, until := range []time.Duration{Default.Tick, 3 * time.Second, 12 * time.Second, 24 * time.Second} {
			d := &drawing{w: &term.Writer{Color: color}, s: Default}
			frame := d.frame(invented(until))
			lines := strings.Split(frame, "\n")
			heights = append(heights, len(lines))
			for _, line := range lines {
				if term.Width(line) > 80 {
					t.Errorf("%d columns: %s", term.Width(line), line)
				}
				if strings.Contains(line, "\x1b") != (color && strings.Contains(line, "\x1b")) {
					t.Errorf("colours where there are none: %q", line)
				}
			}
			if until == 24*time.Second && !color {
				t.Logf("\n%s", frame)
				// Of the TCP chart, the lowest row: full, empty while the path is dead, full.
				row := lines[3+chartRows-1][6:]
				cells := []rune(row)
				for i, c := range cells {
					at := time.Duration(i) * Default.End / 70
					if at > 7*time.Second && at < 12*time.Second && c != ' ' || at < 5*time.Second && c != '█' {
						t.Errorf("at %v: %q in %q", at, c, row)
					}
				}
			}
		}
		for _, h := range heights {
			if h != heights[0] {
				t.Errorf("heights: %v", heights)
			}
		}
	}
}
