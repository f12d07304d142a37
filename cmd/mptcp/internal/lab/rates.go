package lab

import (
	"fmt"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// rates are what arrived in one stretch of time, in Mbit/s.
type rates struct {
	from, to      time.Duration
	tcp           float64 // by its first path
	tcpSecond     float64 // by its second, which it has no use for
	first, second float64 // of the Multipath TCP connection

}

// bins divides the time until end into stretches of a width and says what
// arrived in each. The last one may be shorter; those without a sample of their
// own are left out.
func (r *Result) bins(width time.Duration) []rates {
	var all []rates
	if len(r.Samples) == 0 {
		return nil
	}
	before := r.Samples[0]
	for i, s := range r.Samples {
		if i == 0 || s.At-before.At < width && i != len(r.Samples)-1 {
			continue
		}
		seconds := (s.At - before.At).Seconds()
		if seconds <= 0 {
			continue
		}
		mbit := func(now, then uint64) float64 { return float64(now-then) * 8 / 1e6 / seconds }
		all = append(all, rates{
			from: before.At, to: s.At,
			tcp: mbit(s.TCPFirst, before.TCPFirst), tcpSecond: mbit(s.TCPSecond, before.TCPSecond),
			first: mbit(s.First, before.First), second: mbit(s.Second, before.Second),
		})
		before = s
	}
	return all
}

// last is what arrived lately.
func (r *Result) last(width time.Duration) rates {
	n := len(r.Samples)
	if n < 2 {
		return rates{}
	}
	i := n - 2
	for i > 0 && r.Samples[n-1].At-r.Samples[i].At < width {
		i--
	}
	short := Result{Samples: []Sample{r.Samples[i], r.Samples[n-1]}}
	b := short.bins(width)
	if len(b) == 0 {
		return rates{}
	}
	return b[0]
}

// highest is the sum of both rates, in Mbit/s, which nothing can exceed for
// long.
func (s Script) highest() float64 { return float64(s.First.Rate+s.Second.Rate) / 1e6 }

func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// speed writes a rate as prose does.
func speed(r mptcptest.Rate) string { return fmt.Sprintf("%g Mbit/s", float64(r)/1e6) }

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Summary says in a few lines what became of the streams.
func (r *Result) Summary() string {
	if len(r.Samples) == 0 {
		return ""
	}
	end := r.Samples[len(r.Samples)-1]
	first, second := r.Script.First.Name, r.Script.Second.Name
	line := func(name string, s Stream, a, b uint64) string {
		fate := fmt.Sprintf("longest gap %s", seconds(s.Gap))
		if s.Err != nil {
			fate = fmt.Sprintf("ended early: %v", s.Err)
		}
		return fmt.Sprintf("%-14s %9s   %s, from %s on   (%s %s, %s %s)\n",
			name, megabytes(s.Bytes), fate, seconds(s.GapAt), first, megabytes(a), second, megabytes(b))
	}
	text := line("TCP", r.TCP, end.TCPFirst, end.TCPSecond) + line("Multipath TCP", r.MPTCP, end.First, end.Second)
	switch {
	case r.CutAt == 0:
		text += "Nothing was cut.\n"
	case r.MPTCP.Err == nil && r.Survived():
		text += fmt.Sprintf("%s died at %s. Multipath TCP went on by %s after %s; TCP stood still for %s.\n",
			first, seconds(r.CutAt), second, seconds(r.MPTCP.Gap), seconds(r.TCP.Gap))
	default:
		text += fmt.Sprintf("%s died at %s, and the Multipath TCP stream did not survive it.\n", first, seconds(r.CutAt))
	}
	return text
}

// used is how many bytes a path has carried that a stream has used. What the
// hosts say to each other beside it, to find their neighbours, is far less.
const used = 100_000

// Survived says whether the Multipath TCP stream went on while the first path
// was dead, and had used both paths before that.
func (r *Result) Survived() bool {
	if r.CutAt == 0 || r.MPTCP.Err != nil || len(r.Samples) == 0 {
		return false
	}
	back := r.BackAt
	if back == 0 {
		back = r.Samples[len(r.Samples)-1].At
	}
	var before, during, after Sample
	for _, s := range r.Samples {
		switch {
		case s.At <= r.CutAt:
			before = s
		case s.At <= back:
			during = s
		}
		after = s
	}
	return before.First >= used && before.Second >= used && during.Second-before.Second >= used &&
		during.MPTCP > before.MPTCP && r.MPTCP.Gap < back-r.CutAt && after.MPTCP >= during.MPTCP
}
