// Package live shows what one connection does while it does it, by subflow.
package live

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// How often a connection is looked at, which costs some microseconds: more often
// in the beginning, since it may be over soon. And how long the stretch of time
// is that rates are of.
const (
	tick      = 100 * time.Millisecond
	earlyTick = 5 * time.Millisecond
	early     = 500 * time.Millisecond
	window    = time.Second
)

// View shows a connection. Its frames are drawn in place if InPlace is set and
// the writer can; otherwise it writes a line for each change.
type View struct {
	W       *term.Writer
	Conn    net.Conn
	Name    string // that begins each line, if several connections are shown; may be empty
	InPlace bool
	// Total is what the application has sent and received.
	Total func() (sent, received uint64)

	start    time.Time
	status   mptcp.Status
	told     string // what was last said of the status
	subflows map[uint32]*subflow
	history  []point
}

// subflow is what was last seen of one, and is kept when it has ended.
type subflow struct {
	mptcp.Subflow
	up, gone bool
}

// point is what the subflows had carried at a moment.
type point struct {
	at      time.Time
	carried map[uint32][2]uint64 // sent and received
}

// Run shows the connection until done is closed, and then says what it was. The
// connection must stay open until Run has returned.
func (v *View) Run(done <-chan struct{}) {
	v.start, v.subflows = time.Now(), make(map[uint32]*subflow)
	v.look()
	ticker := time.NewTicker(earlyTick)
	defer ticker.Stop()
	for young, over := true, false; !over; {
		select {
		case <-ticker.C:
		case <-done:
			over = true
		}
		v.look()
		if young && time.Since(v.start) > early {
			young = false
			ticker.Reset(tick)
		}
	}
	if v.drawn() {
		v.W.End()
	}
	v.summary()
}

func (v *View) drawn() bool { return v.InPlace && v.W.Live }

func (v *View) say(format string, args ...any) {
	if !v.drawn() {
		fmt.Fprintf(v.W, "%s%6.1f s  %s\n", v.Name, time.Since(v.start).Seconds(), fmt.Sprintf(format, args...))
	}
}

func (v *View) look() {
	status, err := mptcp.Inspect(v.Conn)
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, errors.ErrUnsupported) {
		v.say("not known: %v", err)
	}
	// Once both sides have finished nothing is known any more.
	if err == nil && status.Reason != mptcp.ReasonNoSubflow {
		v.status = status
		if s := status.String(); s != v.told {
			v.told = s
			v.say("%s", s)
			if status.State == mptcp.Fallback {
				v.say("%s", status.Explain())
			}
		}
	}
	v.compare()
	if v.drawn() {
		_ = v.W.Frame(v.frame()) // the terminal may be gone: the connection goes on
	}
}

// compare looks at the subflows, and says which have come and gone.
func (v *View) compare() {
	list, err := mptcp.Subflows(v.Conn)
	if err != nil {
		return
	}
	p := point{time.Now(), make(map[uint32][2]uint64)}
	here := make(map[uint32]bool)
	for _, s := range list {
		here[s.ID] = true
		known := v.subflows[s.ID]
		if known == nil {
			known = new(subflow)
			v.subflows[s.ID] = known
		}
		if s.BytesAcked+s.BytesReceived < known.BytesAcked+known.BytesReceived {
			continue // it has just ended, and its counters with it
		}
		known.Subflow, known.gone = s, false
		if s.State == mptcp.TCPEstablished && !known.up {
			known.up = true
			v.say("+ %s, RTT %s", name(s), milliseconds(s.RTT))
		}
		p.carried[s.ID] = [2]uint64{s.BytesAcked, s.BytesReceived}
	}
	for _, id := range slices.Sorted(maps.Keys(v.subflows)) {
		if s := v.subflows[id]; !here[id] && !s.gone {
			s.gone = true
			if s.up && len(list) > 0 {
				v.say("- %s", name(s.Subflow))
			}
		}
	}
	v.history = append(v.history, p)
	for len(v.history) > 2 && p.at.Sub(v.history[1].at) >= window {
		v.history = v.history[1:]
	}
}

func name(s mptcp.Subflow) string {
	if s.ID == 0 {
		return ends(s)
	}
	return fmt.Sprintf("subflow %d: %s", s.ID, ends(s))
}

func ends(s mptcp.Subflow) string { return fmt.Sprintf("%v > %v", s.Local, s.Remote) }

// milliseconds writes a round-trip time.
func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

// rate is what a subflow has sent (0) or received (1) lately, in bytes a
// second.
func (v *View) rate(id uint32, way int) float64 {
	if len(v.history) < 2 {
		return 0
	}
	a, b := v.history[0], v.history[len(v.history)-1]
	now, then := b.carried[id][way], a.carried[id][way]
	if now < then || b.at.Sub(a.at) <= 0 {
		return 0
	}
	return float64(now-then) / b.at.Sub(a.at).Seconds()
}

func (v *View) sorted() []*subflow {
	return slices.SortedFunc(maps.Values(v.subflows), func(a, b *subflow) int { return cmp.Compare(a.ID, b.ID) })
}

// frame is a table of the subflows.
func (v *View) frame() string {
	var b strings.Builder
	var up, down float64
	for _, s := range v.sorted() {
		up += v.rate(s.ID, 0)
		down += v.rate(s.ID, 1)
	}
	fmt.Fprintf(&b, "%s  %s  %.1f s  up %s  down %s\n\n", v.W.Bold(v.Conn.RemoteAddr().String()), v.told,
		time.Since(v.start).Seconds(), bits(up), bits(down))
	width := len("subflow")
	for _, s := range v.sorted() {
		width = max(width, len(ends(s.Subflow)))
	}
	fmt.Fprintf(&b, "%3s %-*s %8s %12s %12s %9s %9s %6s %6s  %s\n",
		"", width, "subflow", "RTT", "up", "down", "sent", "received", "again", "cwnd", "state")
	for _, s := range v.sorted() {
		state, color := s.State.String(), term.Green
		switch {
		case s.gone:
			state, color = "gone", term.Gray
		case s.State != mptcp.TCPEstablished || s.Timeouts > 0:
			color = term.Yellow
		}
		fmt.Fprintf(&b, "%3d %-*s %8v %12s %12s %9s %9s %6d %6d  %s\n", s.ID, width, ends(s.Subflow), milliseconds(s.RTT),
			bits(v.rate(s.ID, 0)), bits(v.rate(s.ID, 1)), Bytes(s.BytesAcked), Bytes(s.BytesReceived),
			s.Retransmits, s.CongestionWindow, v.W.Paint(color, state))
	}
	return b.String()
}

// summary says what the connection was, when it is over.
func (v *View) summary() {
	sent, received := v.Total()
	fmt.Fprintf(v.W, "%s%6.1f s  end, %s: sent %s, received %s\n", v.Name, time.Since(v.start).Seconds(),
		cmp.Or(v.told, "status not known"), Bytes(sent), Bytes(received))
	if len(v.subflows) < 2 {
		return
	}
	for _, s := range v.sorted() {
		fmt.Fprintf(v.W, "%s          %s: sent %s, received %s, sent again %d segments, RTT %s\n", v.Name, name(s.Subflow),
			Bytes(s.BytesAcked), Bytes(s.BytesReceived), s.Retransmits, milliseconds(s.RTT))
	}
}

// Bytes writes a number of bytes for people.
func Bytes(n uint64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// bits writes a rate given in bytes a second.
func bits(perSecond float64) string {
	n := perSecond * 8
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", n/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f Mbit/s", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kbit/s", n/1e3)
	}
	return fmt.Sprintf("%.0f bit/s", n)
}
