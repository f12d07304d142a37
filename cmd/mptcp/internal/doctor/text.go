package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

func round(d time.Duration) time.Duration {
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

var signs = map[State]struct {
	sign  string
	color term.Color
}{
	OK: {"✓", term.Green}, Notice: {"!", term.Yellow}, Fault: {"✗", term.Red}, Unknown: {"?", term.Gray},
}

// Write writes the report for a person.
func (r *Report) Write(w *term.Writer) {
	columns, _ := w.Size()
	const indent = 19
	width := min(max(columns, 60), 110) - indent
	para := func(text string) {
		for _, line := range wrap(text, width) {
			fmt.Fprintf(w, "%*s%s\n", indent, "", line)
		}
	}
	for _, result := range r.Results {
		s := signs[result.State]
		lines := wrap(result.Summary, width)
		fmt.Fprintf(w, "  %s %-14s %s\n", w.Paint(s.color, s.sign), result.Check, strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
		for _, f := range result.Findings {
			for _, line := range wrap(f.Fault, width) {
				fmt.Fprintf(w, "%*s%s\n", indent, "", w.Bold(line))
			}
			para(f.Consequence)
			for _, a := range f.Fix {
				fmt.Fprintf(w, "%*s%s\n", indent+2, "", w.Paint(term.Blue, a.String()))
			}
			if f.Advice != "" {
				para(f.Advice)
			}
		}
	}
	if r.Target != nil {
		for _, s := range r.Target.Subflows {
			fmt.Fprintf(w, "%*s%v > %v  %s, RTT %v\n", indent+2, "", s.Local, s.Remote, s.State, round(s.RTT))
		}
	}
	fmt.Fprintf(w, "\n%s\n", r.verdict())
}

func (r *Report) verdict() string {
	faults, notices := r.Count()
	plural := func(n int, word string) string {
		if n == 1 {
			return "1 " + word
		}
		return fmt.Sprintf("%d %ss", n, word)
	}
	unread, failed := r.Unknown()
	text := "Healthy."
	switch {
	case faults > 0:
		text = plural(faults, "fault") + "."
	case len(failed) > 0:
		text = "No fault was found, but not everything could be looked at."
	case len(unread) > 0:
		text = "Healthy, as far as can be seen without root."
	}
	if notices > 0 {
		text += " " + plural(notices, "notice") + "."
	}
	if unknown := append(failed, unread...); len(unknown) > 0 {
		text += " Not known: " + strings.Join(unknown, ", ") + "."
	}
	of := ""
	if notices > 0 {
		of = " for what is a fault"
	}
	if n := len(r.Plan()); n == 1 {
		text += fmt.Sprintf(" \"mptcp doctor --fix\" does what is to be typed%s, after asking.", of)
	} else if n > 1 {
		text += fmt.Sprintf(" \"mptcp doctor --fix\" does the %d things that are to be typed%s, after asking.", n, of)
	}
	return text
}

// wrap breaks a text into lines of at most width columns.
func wrap(text string, width int) []string {
	var lines []string
	line, n := "", 0
	for word := range strings.FieldsSeq(text) {
		w := term.Width(word)
		if n > 0 && n+1+w > width {
			lines = append(lines, line)
			line, n = "", 0
		}
		if n > 0 {
			line += " "
			n++
		}
		line += word
		n += w
	}
	return append(lines, line)
}
