package pathmanager

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

const (
	judgeEvery  = 10 * time.Millisecond
	firstSilent = time.Second // until a silent path is tried again
	lastSilent  = time.Minute
	trialTime   = 2 * time.Second // how long it may take to answer
)

// A judge watches the subflows of this process's connections. Nothing of it
// needs any privilege.
type judge struct {
	netns  uint64 // the cookie of the network namespace that it judges; 0: not known
	margin time.Duration
	seen   map[subflowKey]progress
	turn   uint64
	next   time.Time
}

type subflowKey struct {
	connection uint64
	subflow    uint32
}

// progress is what a subflow had acknowledged, and since when no more.
type progress struct {
	acked uint64
	since time.Time
	turn  uint64 // when it was last there
}

// look returns the addresses from which a subflow has gone silent while another
// one of its connection has not, and how many connections there are.
func (j *judge) look(now time.Time) (silent map[netip.Addr]bool, connections int) {
	j.turn++
	if j.seen == nil {
		j.seen = make(map[subflowKey]progress)
	}
	for e := range conntable.All() {
		if e.Gone.Load() || j.netns != 0 && j.netns != netnsOf(e.Raw) {
			continue // closed, or has the same addresses elsewhere
		}
		all, err := mptcp.Subflows(e.Socket())
		if err != nil || len(all) == 0 || all[0].ID == 0 {
			continue // closed, or TCP
		}
		connections++
		for _, a := range j.connection(e.ID, all, now) {
			if silent == nil {
				silent = make(map[netip.Addr]bool)
			}
			silent[a] = true
		}
	}
	for k, p := range j.seen {
		if p.turn != j.turn {
			delete(j.seen, k)
		}
	}
	j.next = now.Add(max(judgeEvery, 10*time.Since(now))) // a tenth of a processor at most
	return silent, connections
}

// netnsOf returns the cookie of the network namespace of a socket, 0 if the
// kernel does not tell: Linux 5.14.
func netnsOf(c syscall.RawConn) uint64 {
	cookie, err := sockopt.Control(c, func(fd int) (cookie uint64, err error) {
		return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	if err != nil {
		return 0
	}
	return cookie
}

// connection judges one connection.
func (j *judge) connection(id uint64, all []mptcp.Subflow, now time.Time) (silent []netip.Addr) {
	alive := false
	for _, s := range all {
		if s.State != mptcp.TCPEstablished {
			continue
		}
		k := subflowKey{id, s.ID}
		p, known := j.seen[k]
		if !known || s.Unacked == 0 || s.BytesAcked != p.acked {
			p.acked, p.since = s.BytesAcked, now
		}
		p.turn = j.turn
		j.seen[k] = p
		// If the last segment was lost, TCP probes after two round trips, and
		// the answer takes another.
		if now.Sub(p.since) > 3*s.RTT+4*s.RTTVar+j.margin {
			silent = append(silent, s.Local.Addr().Unmap())
		} else {
			alive = true
		}
	}
	if !alive {
		return nil // it is the peer, or there is no other path
	}
	return silent
}

// A silence is a path whose endpoint was taken away because it had gone silent.
type silence struct {
	trial bool // the endpoint is back, to see whether the path answers
	at    time.Time
	wait  time.Duration
}

// judge takes notice of paths that have gone silent, or should be tried again.
// It says whether something is to be changed.
func (r *keeper) judgePaths(now time.Time) (changed bool) {
	if r.SilentAfter <= 0 || now.Before(r.judge.next) {
		return false
	}
	r.judge.margin = r.SilentAfter
	silent, connections := r.judge.look(now)
	for a := range silent {
		if r.silent[a] == nil && r.k.own.has(a) && r.another(a) {
			r.silent[a] = &silence{at: now.Add(firstSilent), wait: firstSilent}
			r.log.Warn("mptcp: the path from " + a.String() + " has gone silent")
			changed = true
		}
	}
	for a, s := range r.silent {
		switch {
		case connections == 0:
			delete(r.silent, a) // nobody is there to say
			changed = true
		case now.Before(s.at):
		case s.trial:
			s.trial, s.wait = false, min(2*s.wait, lastSilent)
			s.at = now.Add(s.wait)
			changed = true
		default:
			s.trial, s.at = true, now.Add(trialTime)
			changed = true
		}
	}
	return changed
}

// another says whether there is another path of the same family that answers.
func (r *keeper) another(a netip.Addr) bool {
	for _, p := range r.paths {
		if p.Addr != a && p.Addr.Is6() == a.Is6() && p.Flags != 0 && r.silent[p.Addr] == nil {
			return true
		}
	}
	return false
}

// answers takes notice of a subflow that was opened, and says whether its path
// was a silent one.
func (r *keeper) answers(e Event) bool {
	a := e.Local.Addr().Unmap()
	if e.Type != EventSubflowEstablished || r.silent[a] == nil {
		return false
	}
	delete(r.silent, a)
	r.log.Info("mptcp: the path from " + a.String() + " answers again")
	return true
}

// muted are the paths that come last: true for those without an endpoint.
func (r *keeper) muted() map[netip.Addr]bool {
	m := make(map[netip.Addr]bool)
	for a, s := range r.silent {
		m[a] = !s.trial
	}
	return m
}
