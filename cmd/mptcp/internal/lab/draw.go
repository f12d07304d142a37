package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// NewObserver returns the observer that shows a script while it is played:
// drawn in place on a terminal, a line for each second elsewhere.
func NewObserver(w *term.Writer, s Script) Observer {
	if w.Live {
		return &drawing{w: w, s: s}
	}
	return &lines{w: w, s: s}
}

// lines is the observer for pipes and files.
type lines struct {
	w    *term.Writer
	s    Script
	next time.Duration
}

func (l *lines) Sample(r *Result) {
	now := r.Samples[len(r.Samples)-1]
	if now.At < l.next+time.Second {
		return
	}
	l.next = now.At.Truncate(time.Second)
	b := r.last(time.Second)
	fmt.Fprintf(l.w, "%5.1f s   TCP %5.1f Mbit/s   Multipath TCP %5.1f Mbit/s (%s %.1f, %s %.1f)\n",
		now.At.Seconds(), b.tcp, b.first+b.second, l.s.First.Name, b.first, l.s.Second.Name, b.second)
}

func (l *lines) Event(at time.Duration, e Event) {
	fmt.Fprintf(l.w, "%5.1f s   %s\n", at.Seconds(), eventText(l.s, e))
}

func eventText(s Script, e Event) string {
	if e == Cut {
		return s.First.Name + " is cut"
	}
	return s.First.Name + " is back"
}

// drawing is the observer for terminals.
type drawing struct {
	w     *term.Writer
	s     Script
	event string
}

const chartRows = 6

var eighths = []rune(" ▁▂▃▄▅▆▇█")

func (d *drawing) Sample(r *Result) { _ = d.w.Frame(d.frame(r)) } // the terminal may be gone: the run goes on

func (d *drawing) Event(_ time.Duration, e Event) { d.event = eventText(d.s, e) }

func (d *drawing) frame(r *Result) string {
	columns, _ := d.w.Size()
	width := min(max(columns-10, 20), 96)
	bins := r.bins(max(d.s.End/time.Duration(width), d.s.Tick))
	now, b := r.Samples[len(r.Samples)-1], r.last(500*time.Millisecond)
	var out strings.Builder
	head := fmt.Sprintf("%5.1f s of %.0f s", now.At.Seconds(), d.s.End.Seconds())
	if d.event != "" {
		head += "   " + d.w.Paint(term.Red, d.event)
	}
	fmt.Fprintf(&out, "%s\n\n", head)
	fmt.Fprintf(&out, "%s   %.1f Mbit/s\n", d.w.Bold("TCP"), b.tcp)
	d.chart(&out, bins, width, func(r rates) (float64, float64) { return 0, r.tcp })
	d.axis(&out, width)
	fmt.Fprintf(&out, "\n%s   %.1f Mbit/s: %s %.1f, %s %.1f\n", d.w.Bold("Multipath TCP"), b.first+b.second,
		d.w.Paint(term.Blue, d.s.First.Name), b.first, d.w.Paint(term.Orange, d.s.Second.Name), b.second)
	d.chart(&out, bins, width, func(r rates) (float64, float64) { return r.second, r.first })
	d.axis(&out, width)
	return out.String()
}

// chart draws a column for each stretch of time: the second path with the
// first on top of it.
func (d *drawing) chart(out *strings.Builder, bins []rates, width int, of func(rates) (second, first float64)) {
	highest := d.s.highest()
	step := highest / chartRows
	columns := make([]*rates, width)
	for i := range bins {
		middle := (bins[i].from + bins[i].to) / 2
		if c := int(int64(width) * int64(middle) / int64(d.s.End)); c < width {
			columns[c] = &bins[i]
		}
	}
	for row := chartRows - 1; row >= 0; row-- {
		label := ""
		if row == chartRows-1 || row == chartRows/2-1 {
			label = fmt.Sprintf("%.0f", step*float64(row+1))
		}
		fmt.Fprintf(out, "%5s ", label)
		floor := step * float64(row)
		style := ""
		for i, c := range columns {
			if c == nil && i > 0 && i+1 < width && columns[i+1] != nil {
				c = columns[i-1] // there may be fewer samples than columns
			}
			next, cell := "", ' '
			if c != nil {
				second, first := of(*c)
				next, cell = d.cell((second-floor)/step, (second+first-floor)/step)
			}
			if next != style { // a row has few runs of one colour
				style = next
				out.WriteString(d.w.Style(style))
			}
			out.WriteRune(cell)
		}
		out.WriteString(d.w.Style("") + "\n")
	}
}

// Styles of cells: what is drawn, and on what.
var (
	onlyFirst  = term.Foreground(term.Blue)
	onlySecond = term.Foreground(term.Orange)
	both       = term.Foreground(term.Orange) + ";" + term.Background(term.Blue)
)

// cell is one character: up to second in one colour, and up to sum in the
// other. Both are parts of the height of the character, and may be outside of it.
func (d *drawing) cell(second, sum float64) (style string, c rune) {
	eighth := func(v float64) int { return int(min(max(v, 0), 1)*8 + 0.5) }
	a, b := eighth(second), eighth(sum)
	switch {
	case b == 0:
		return "", ' '
	case a == 0 || !d.w.Color:
		return onlyFirst, eighths[b]
	case a == b:
		return onlySecond, eighths[a]
	case b == 8:
		return both, eighths[a]
	default:
		return onlyFirst, eighths[b] // three colours do not fit into one character
	}
}

func (d *drawing) axis(out *strings.Builder, width int) {
	line, label := []rune(strings.Repeat("─", width)), []rune(strings.Repeat(" ", width+2))
	for t := time.Duration(0); t <= d.s.End; t += 4 * time.Second {
		c := int(int64(width) * int64(t) / int64(d.s.End))
		if c < width {
			line[c] = '┴'
		}
		copy(label[min(c, width-1):], []rune(fmt.Sprintf("%.0f", t.Seconds())))
	}
	fmt.Fprintf(out, "%5s %s\n%5s %s s\n", "0", string(line), "", strings.TrimRight(string(label), " "))
}
