package mptcpz

import (
	"bytes"
	"cmp"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// A state is what state.json holds.
type state struct {
	Seq         uint64    `json:"seq"` // of the sample; counts up
	Time        time.Time `json:"time"`
	Interval    float64   `json:"interval_s"` // since the sample before it; zero if there is none
	Process     process   `json:"process"`
	Host        host      `json:"host"`
	Summary     summary   `json:"summary"`
	Connections list      `json:"connections"`
	Counters    []counter `json:"counters"`
	CountersErr string    `json:"counters_error,omitempty"`
	Events      []event   `json:"events"`
}

type process struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	Kernel string `json:"kernel"`
}

// A host says whether this process can open Multipath TCP sockets.
type host struct {
	Able    *bool        `json:"able"` // null if that could not be told
	Reason  mptcp.Reason `json:"reason,omitempty"`
	Explain string       `json:"explain"`
	Command string       `json:"command,omitempty"`
}

// A summary counts all connections.
type summary struct {
	Total     int       `json:"total"`
	Multipath int       `json:"multipath"`
	Fallback  int       `json:"fallback"`
	TCP       int       `json:"tcp"`
	Unknown   int       `json:"unknown"`
	Dialed    int       `json:"dialed"`
	Accepted  int       `json:"accepted"`
	OnePath   int       `json:"one_subflow"`      // of the multipath ones, where the kernel tells
	MorePaths int       `json:"several_subflows"` // as above
	SentRate  float64   `json:"sent_bytes_per_s"` // of the multipath ones
	RecvRate  float64   `json:"received_bytes_per_s"`
	Reasons   []because `json:"reasons"` // the most frequent first
}

// A because is a reason why connections are not multipath.
type because struct {
	State   mptcp.State  `json:"state"`
	Reason  mptcp.Reason `json:"reason"`
	Explain string       `json:"explain"`
	Command string       `json:"command,omitempty"`
	Count   int          `json:"count"`
}

// A list is one page of connections.
type list struct {
	Page     int           `json:"page"`
	Pages    int           `json:"pages"`
	Size     int           `json:"size"`
	Matching int           `json:"matching"`
	List     []*connection `json:"list"`
}

type counter struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
	Moved uint64 `json:"moved,omitempty"` // since the sample before
}

// view makes what q asks for, with the events after the n-th.
func (s *sample) view(q query, n uint64) *state {
	v := &state{
		Seq: s.seq, Time: s.at, Interval: s.since.Seconds(),
		Process: process{Name: filepath.Base(os.Args[0]), PID: os.Getpid(), Kernel: kernel()},
		Host:    describeHost(s.probe),
		Summary: s.summarize(),
		Events:  s.events,
	}
	for len(v.Events) > 0 && v.Events[0].N <= n {
		v.Events = v.Events[1:]
	}
	if v.Events == nil {
		v.Events = []event{}
	}
	v.Counters = make([]counter, 0, len(s.counters))
	for name, value := range s.counters.Sorted() {
		v.Counters = append(v.Counters, counter{name, value, s.moved[name]})
	}
	if s.countErr != nil {
		v.CountersErr = s.countErr.Error()
	}
	v.Connections = s.list(q)
	return v
}

func describeHost(err error) host {
	able := err == nil
	h := host{Able: &able, Reason: mptcp.ProbeReason(err), Explain: "This host can open Multipath TCP connections."}
	if err != nil {
		h.Explain = explainProbe(err)
		h.Command = command(h.Reason)
		if !errors.Is(err, errors.ErrUnsupported) {
			h.Able = nil
		}
	}
	return h
}

func explainProbe(err error) string {
	if r := mptcp.ProbeReason(err); errors.Is(err, errors.ErrUnsupported) && r != mptcp.ReasonUnknown {
		return r.Explain()
	}
	return err.Error()
}

// command returns what to type on this host, as root, where there is something
// to type that is right wherever it is typed.
func command(r mptcp.Reason) string {
	switch r {
	case mptcp.ReasonHostDisabled:
		return "sysctl -w net.mptcp.enabled=1"
	case mptcp.ReasonHostSuppressed:
		// Any value ends the pause (net/mptcp/ctrl.c); this one is the default.
		return "sysctl -w net.mptcp.blackhole_timeout=3600"
	}
	return ""
}

func (s *sample) summarize() summary {
	sum := summary{Total: len(s.rows), Reasons: []because{}}
	type key struct {
		state  mptcp.State
		reason mptcp.Reason
	}
	reasons := make(map[key]int)
	for i := range s.rows {
		r := &s.rows[i]
		switch r.state {
		case mptcp.Multipath:
			sum.Multipath++
			if r.subflows == 1 {
				sum.OnePath++
			} else if r.subflows > 1 {
				sum.MorePaths++
			}
		case mptcp.Fallback:
			sum.Fallback++
		case mptcp.TCP:
			sum.TCP++
		default:
			sum.Unknown++
		}
		if r.c.Role() == transport.Accepted {
			sum.Accepted++
		} else {
			sum.Dialed++
		}
		sum.SentRate += float64(r.sentRate)
		sum.RecvRate += float64(r.recvRate)
		if r.state != mptcp.Multipath {
			reasons[key{r.state, r.reason}]++
		}
	}
	for k, n := range reasons {
		sum.Reasons = append(sum.Reasons, because{k.state, k.reason, k.reason.Explain(), command(k.reason), n})
	}
	slices.SortFunc(sum.Reasons, func(a, b because) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.State, a.State), cmp.Compare(a.Reason, b.Reason))
	})
	return sum
}

// list finds the connections of one page. A page beyond the last is the last:
// connections end while somebody turns pages.
func (s *sample) list(q query) list {
	var found []*row
	match := q.matcher()
	for i := range s.rows {
		if match(&s.rows[i]) {
			found = append(found, &s.rows[i])
		}
	}
	switch q.sort {
	case newest:
		slices.Reverse(found)
	case busiest:
		slices.SortFunc(found, func(a, b *row) int {
			return cmp.Or(cmp.Compare(b.sentRate+b.recvRate, a.sentRate+a.recvRate), cmp.Compare(b.id, a.id))
		})
	}
	l := list{Matching: len(found), Size: q.size, Pages: max(1, (len(found)+q.size-1)/q.size), List: []*connection{}}
	l.Page = min(q.page, l.Pages)
	first := (l.Page - 1) * q.size
	for _, r := range found[first:min(first+q.size, len(found))] {
		l.List = append(l.List, s.detail(r))
	}
	return l
}

// matcher returns whether a connection is one that q asks for.
func (q *query) matcher() func(*row) bool {
	var buf []byte
	text := []byte(q.text)
	return func(r *row) bool {
		if q.state != nil && r.state != *q.state || q.reason != nil && r.reason != *q.reason || q.role != nil && r.c.Role() != *q.role {
			return false
		}
		if len(text) == 0 {
			return true
		}
		for _, a := range [...]net.Addr{r.c.RemoteAddr(), r.c.LocalAddr()} {
			buf = addrPort(a).AppendTo(buf[:0])
			if bytes.Contains(buf, text) {
				return true
			}
		}
		d, ok := r.c.Dial()
		return ok && strings.Contains(strings.ToLower(d.Address), q.text)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
