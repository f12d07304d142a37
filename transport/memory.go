package transport

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a Memory.
const (
	memoryHold    = time.Second // how long a first failure counts
	memoryHoldMax = time.Minute // the longest that the doubling leads to
	memoryAge     = time.Hour   // how long after that a destination is forgotten
	memorySize    = 1024        // destinations
)

// trialLease is how long other dials wait for the outcome of a trial. There is
// one a little earlier, or none: the dial was cancelled, or nobody answered
// TCP either. The next dial is then a trial again.
const trialLease = giveUpAfter + 200*time.Millisecond

// A Memory holds the destinations that answered TCP and not Multipath TCP, so
// that dials to them do not wait in vain. Its zero value is empty and ready to
// use. It is safe for concurrent use and never holds more than 1024
// destinations; each is an address and a port, and leaves an hour after it was
// last found not to answer.
//
// A destination is dialed by TCP alone for one second after its first failure.
// The next dial after that is a trial: it dials both at once, and uses Multipath
// TCP if that is answered before TCP or at most a tenth of TCP's connect time
// later. Otherwise it uses TCP, and the trial goes on without the dial for up to
// 2.8 seconds. An answer makes the memory forget the destination; silence or a
// refusal doubles the time, up to a minute. So Multipath TCP comes back at the
// latest after as long as it was blocked, and at most a minute, and a trial
// costs the dial no time to speak of, but a socket and three SYNs.
type Memory struct {
	n  atomic.Int32 // len(m), so that an empty memory costs nothing
	mu sync.Mutex
	m  map[netip.AddrPort]*lapse
}

var defaultMemory Memory

// DefaultMemory returns the memory of the dialers that have none of their own.
// A program that learns that its host has moved to another network can empty
// it: see [Memory.Forget].
func DefaultMemory() *Memory { return &defaultMemory }

// A lapse is one destination that did not answer Multipath TCP.
type lapse struct {
	until time.Time     // dial by TCP alone until then
	hold  time.Duration // how long that is after a failure
}

// A verdict is what a Memory says of a destination.
type verdict uint8

const (
	unknown verdict = iota
	knownBad
	worthATrial
)

// consult tells how to dial address, an IP address and a port. Of several
// dials that ask at the same time, one is told to try, and none that could not
// do that beside TCP.
func (m *Memory) consult(address string, canTry bool) verdict {
	if m.n.Load() == 0 {
		return unknown
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return unknown
	}
	addr = unmap(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.m[addr]
	now := time.Now()
	switch {
	case l == nil:
		return unknown
	case l.aged(now):
		m.drop(addr)
		return unknown
	case now.Before(l.until) || !canTry:
		return knownBad
	}
	l.until = now.Add(trialLease) // the others go on by TCP meanwhile
	return worthATrial
}

// remember notes that addr answered TCP and not Multipath TCP, on a trial or on
// a dial that knew nothing.
func (m *Memory) remember(addr netip.AddrPort, trial bool) {
	if !addr.IsValid() {
		return
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.m[addr]
	switch {
	case l == nil && trial:
		return // forgotten meanwhile, and for a reason
	case l == nil:
		m.makeRoom(now)
		if m.m == nil {
			m.m = make(map[netip.AddrPort]*lapse)
		}
		l = &lapse{hold: memoryHold}
		m.m[addr] = l
		m.n.Store(int32(len(m.m)))
	case trial:
		l.hold = min(2*l.hold, memoryHoldMax)
	default:
		return // several dials failed together: that is one failure
	}
	l.until = now.Add(l.hold)
}

// aged reports whether nothing was heard of the destination for so long that
// what is known of it is worth nothing.
func (l *lapse) aged(now time.Time) bool { return now.Sub(l.until) >= memoryAge }

// makeRoom lets go of what has aged and, if that is not enough, of the
// destination whose time is up first.
func (m *Memory) makeRoom(now time.Time) {
	var first netip.AddrPort
	var end time.Time
	for a, l := range m.m {
		if l.aged(now) {
			delete(m.m, a)
		} else if end.IsZero() || l.until.Before(end) {
			first, end = a, l.until
		}
	}
	if len(m.m) >= memorySize {
		delete(m.m, first)
	}
}

// drop takes addr out.
func (m *Memory) drop(addr netip.AddrPort) {
	delete(m.m, addr)
	m.n.Store(int32(len(m.m)))
}

// forget notes that addr answers Multipath TCP.
func (m *Memory) forget(addr netip.AddrPort) {
	if m.n.Load() == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(addr)
}

// Forget empties the memory. It is for a program that knows that the network
// has changed.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.m)
	m.n.Store(0)
}

// Len returns the number of destinations that the memory holds.
func (m *Memory) Len() int { return int(m.n.Load()) }

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// addrPort returns the address in the form that a Memory is keyed by. It is
// invalid if a is not a TCP address.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok && t != nil {
		return unmap(t.AddrPort())
	}
	return netip.AddrPort{}
}
