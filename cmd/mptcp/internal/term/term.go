// Package term writes for people: in colour and redrawn in place on a
// terminal, in plain lines elsewhere.
package term

import (
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer is where a command writes to, and what can be done there.
type Writer struct {
	io.Writer
	Color bool // escape sequences for colours are understood and wanted
	Live  bool // it is a terminal on which lines can be drawn again
	fd    int
	lines int // of the last frame
}

// New looks at what w is. Colour is for terminals, unless the environment
// variable NO_COLOR is set to anything (https://no-color.org) or TERM is
// "dumb".
func New(w io.Writer) *Writer {
	t := &Writer{Writer: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" || runtime.GOOS == "windows" {
		return t
	}
	t.fd, t.Live = int(f.Fd()), true
	t.Color = os.Getenv("NO_COLOR") == ""
	return t
}

// Size is the number of columns and rows, 80 and 24 where there is no terminal.
func (w *Writer) Size() (columns, rows int) {
	if w.Live {
		if c, r, err := term.GetSize(w.fd); err == nil && c > 0 && r > 0 {
			return c, r
		}
	}
	return 80, 24
}

// A Color is the number of a colour of the 256 that terminals have.
type Color uint8

// Colours that are legible on light and on dark terminals.
const (
	Red    Color = 167
	Green  Color = 71
	Yellow Color = 172
	Blue   Color = 68
	Orange Color = 173
	Gray   Color = 244
)

// Paint returns s in a colour, if the writer has colours.
func (w *Writer) Paint(c Color, s string) string {
	if !w.Color || s == "" {
		return s
	}
	return "\x1b[" + Foreground(c) + "m" + s + "\x1b[0m"
}

// Foreground is the colour of a character, as part of a style. Parts are joined
// by semicolons.
func Foreground(c Color) string { return "38;5;" + strconv.Itoa(int(c)) }

// Background is the colour behind a character, as part of a style.
func Background(c Color) string { return "48;5;" + strconv.Itoa(int(c)) }

// Style begins a style, which the next one ends: "" is none.
func (w *Writer) Style(style string) string {
	switch {
	case !w.Color:
		return ""
	case style == "":
		return "\x1b[0m"
	}
	return "\x1b[0;" + style + "m"
}

// Bold returns s in bold, if the writer has colours.
func (w *Writer) Bold(s string) string {
	if !w.Color || s == "" {
		return s
	}
	return "\x1b[1m" + s + "\x1b[0m"
}

// Frame draws text over the frame before it, if the writer is live. Lines that
// are longer than the terminal is wide are cut, and a frame that is higher than
// the terminal loses its first lines, since what has scrolled away cannot be
// drawn over.
func (w *Writer) Frame(text string) error {
	columns, rows := w.Size()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > rows-1 {
		lines = lines[len(lines)-(rows-1):]
	}
	var b strings.Builder
	if w.lines == 0 {
		b.WriteString("\x1b[?25l") // no cursor
	} else {
		b.WriteString("\x1b[" + strconv.Itoa(w.lines) + "A")
	}
	for _, line := range lines {
		b.WriteString("\r" + Cut(line, columns) + "\x1b[K\n")
	}
	if w.lines > len(lines) {
		b.WriteString("\x1b[J")
	}
	w.lines = len(lines)
	_, err := io.WriteString(w, b.String())
	return err
}

// End leaves the last frame where it is and shows the cursor again.
func (w *Writer) End() {
	if w.lines > 0 {
		_, _ = io.WriteString(w, "\x1b[?25h") // the terminal may be gone: nobody to tell
		w.lines = 0
	}
}

// Cut shortens a line to a number of columns. Escape sequences take none.
func Cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	n, escape := 0, false
	for i, r := range line {
		switch {
		case escape:
			escape = (r < '@' || r > '~') || r == '['
		case r == '\x1b':
			escape = true
		default:
			if n++; n > columns {
				cut := line[:i]
				if strings.Contains(cut, "\x1b[") {
					cut += "\x1b[0m"
				}
				return cut
			}
		}
	}
	return line
}

// Width is how many columns a line takes.
func Width(line string) int {
	n, escape := 0, false
	for _, r := range line {
		switch {
		case escape:
			escape = (r < '@' || r > '~') || r == '['
		case r == '\x1b':
			escape = true
		default:
			n++
		}
	}
	return n
}
