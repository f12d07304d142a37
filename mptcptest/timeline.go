package mptcptest

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Log adds a line to the timeline of the test: how long after the network was
// made, what happened, and in brackets how many bytes each link has carried
// since the line before, in both directions together. Faults, addresses and
// endpoints are logged without being asked. The first line is preceded by a
// picture of the network, and a list of what its hosts were told until then.
func (n *Network) Log(format string, args ...any) {
	n.t.Helper()
	n.logf(format, args...)
}

func (n *Network) logf(format string, args ...any) {
	n.t.Helper()
	since := time.Since(n.start)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return // the test may be over, and Logf would panic
	}
	n.draw()
	// What follows the first line, if anything, is a table.
	what, table, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	line := fmt.Sprintf("%8.3fs  %-38s %s", since.Seconds(), what, n.carried())
	n.t.Logf("%s", strings.TrimRight(strings.TrimRight(line, " ")+"\n"+table, "\n"))
}

// carried says what the links have carried since it was called last.
func (n *Network) carried() string {
	var list []string
	for _, l := range n.links {
		bytes := l.dirs[0].Stats().Bytes + l.dirs[1].Stats().Bytes
		if bytes > l.told {
			list = append(list, l.name+" "+inBytes(bytes-l.told))
		}
		l.told = bytes
	}
	if list == nil {
		return ""
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func inBytes(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// inUse shows the network when its first socket is about to be made.
func (n *Network) inUse() {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.closed {
		n.draw()
	}
}

func (n *Network) draw() {
	n.t.Helper()
	if !n.shown {
		n.shown = true
		n.t.Logf("network\n%s", strings.Join(append([]string{n.drawing()}, n.setup...), "\n  "))
	}
}

// built logs a change of the network, which before the first event is part of
// the drawing.
func (n *Network) built(format string, args ...any) {
	n.t.Helper()
	if n.isShown() {
		n.logf(format, args...)
	}
}

// configured logs what a host was told, which before the first event is listed
// under the drawing.
func (n *Network) configured(format string, args ...any) {
	n.t.Helper()
	if n.isShown() {
		n.logf(format, args...)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.setup = append(n.setup, fmt.Sprintf(format, args...))
}

func (n *Network) isShown() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.shown
}

// drawing is a picture of the network: a line for each link.
func (n *Network) drawing() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	for _, l := range n.links {
		fmt.Fprintf(w, "  %s\t%s\t--- %s ---\t%s\t%s\t%s\n", l.a.label(), l.ends[0].addrs(), l.name, l.ends[1].addrs(), l.b.label(), l.describe())
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// usage is a table of what each link carried.
func (n *Network) usage() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "  link\tfrom\tto\tpackets\tbytes\tlost\t\n")
	var overruns uint64
	for _, l := range n.links {
		for _, d := range l.dirs {
			s := d.Stats()
			overruns += s.Overruns
			fmt.Fprintf(w, "  %s\t%s\t%s\t%d\t%d\t%d\t\n", l.name, d.from.name, d.to.name, s.Packets, s.Bytes, s.Dropped)
		}
	}
	w.Flush()
	if overruns > 0 {
		fmt.Fprintf(&b, "  %d more packets were lost because this machine was too slow\n", overruns)
	}
	return strings.TrimRight(b.String(), "\n")
}
