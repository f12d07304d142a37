package pathmanager

import (
	"net/netip"
	"testing"
	"time"
)

// TestRepair: what events say of subflows that are missing.
func TestRepair(t *testing.T) {
	var r repair
	start := time.Now()
	a, b, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("10.1.0.2")
	own := owned{a: mark{}, b: mark{}, netip.MustParseAddr("fd00:2::1"): mark{}}
	at := func(d time.Duration) time.Time { return start.Add(d) }
	event := func(d time.Duration, typ EventType, token uint32, local netip.Addr, flags EventFlags) {
		r.event(Event{
			Type: typ, Token: token, Local: netip.AddrPortFrom(local, 1), Remote: netip.AddrPortFrom(server, 443), Flags: flags,
		}, own, at(d))
	}
	due := func(d time.Duration, want ...pair) {
		t.Helper()
		got := r.due(at(d))
		if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
			t.Errorf("after %v: %v, want %v", d, got, want)
		}
	}
	if wait := r.wait(start); wait < time.Hour {
		t.Errorf("waits %v for nothing", wait)
	}
	// Not ours, and not ours to open.
	event(0, EventSubflowClosed, 1, netip.MustParseAddr("10.9.0.1"), 0)
	event(0, EventCreated, 2, a, ServerSide)
	event(0, EventSubflowClosed, 2, a, 0)
	due(time.Hour)

	// The connection ends as well.
	event(0, EventSubflowClosed, 3, a, 0)
	event(0, EventClosed, 3, netip.Addr{}, 0)
	due(time.Hour)

	// Lost, and opened at the third attempt. A connection over IPv6 may use IPv4.
	lost := pair{4, a, server}
	event(0, EventSubflowClosed, 4, netip.AddrFrom16(a.As16()), 0)
	due(firstRepair - 1)
	if wait := r.wait(start); wait != firstRepair {
		t.Errorf("waits %v, want %v", wait, firstRepair)
	}
	due(firstRepair, lost)
	event(firstRepair, EventSubflowClosed, 4, a, 0) // refused
	due(3*firstRepair - 1)
	due(3*firstRepair, lost)
	due(7*firstRepair - 1)
	due(7*firstRepair, lost)
	event(7*firstRepair, EventSubflowEstablished, 4, a, 0)
	due(time.Hour)

	// There is an end to it, sooner if it is refused, until the path is used once.
	for _, refused := range []bool{false, true} {
		event(0, EventSubflowClosed, 5, b, 0)
		n, want := 0, mostRepairs
		for d := time.Duration(0); d < time.Hour; d += 100 * time.Millisecond {
			if n += len(r.due(at(d))); refused {
				event(d, EventSubflowClosed, 5, b, 0)
				want = mostRefusals
			}
		}
		if n != want {
			t.Errorf("refused: %v: %d attempts in an hour, want %d", refused, n, want)
		}
		if !refused {
			event(time.Hour, EventClosed, 5, netip.Addr{}, 0)
		}
	}
	if wait := r.wait(at(time.Hour)); wait < time.Hour {
		t.Errorf("waits %v for what was given up", wait)
	}
	event(time.Hour, EventSubflowEstablished, 5, b, 0)
	event(time.Hour+proven-1, EventSubflowClosed, 5, b, 0) // refused after its handshake
	due(time.Hour + time.Minute)
	event(2*time.Hour, EventSubflowEstablished, 5, b, 0)
	event(2*time.Hour+proven, EventSubflowClosed, 5, b, 0)
	due(2*time.Hour+proven+firstRepair, pair{5, b, server})
	event(time.Hour, EventClosed, 5, netip.Addr{}, 0)

	// It began while an endpoint was added, which it may not have noticed. Not
	// those that have no business with endpoints.
	r = repair{added: start}
	event(handshake-1, EventEstablished, 6, a, 0)
	event(handshake-1, EventEstablished, 7, a, 0)
	event(handshake-1, EventEstablished, 8, netip.MustParseAddr("127.0.0.1"), 0)
	event(handshake-1, EventEstablished, 9, a, DenyJoinID0)
	event(handshake-1, EventEstablished, 10, a, ServerSide)
	event(handshake-1, EventSubflowEstablished, 7, b, 0)
	event(handshake, EventEstablished, 11, a, 0)
	due(handshake+firstRepair, pair{6, b, server})

	// Events are missing.
	event(0, 0, 0, netip.Addr{}, 0)
	due(2 * time.Hour)
	if len(r.accepted) != 0 || !r.survey {
		t.Errorf("after an overflow: %+v", r)
	}
}

// TestRepairLooks: what the sockets say of them.
func TestRepairLooks(t *testing.T) {
	now := time.Now()
	a, b, lo, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1"),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.1.0.2")
	own := owned{a: mark{}, b: mark{}}
	one := func(token uint32, local netip.Addr, dialed bool) socket {
		return socket{token: token, local: netip.AddrPortFrom(local, 1), remote: netip.AddrPortFrom(server, 443), dialed: dialed, established: true}
	}
	all := []socket{
		one(1, a, true), one(1, b, true), // complete
		one(2, a, true),   // lacks b
		one(3, b, false),  // accepted
		one(4, lo, true),  // begun elsewhere
		one(5, lo, false), // and accepted there
	}
	var r repair
	r.lookAtAll(all, own, now)
	due := r.due(now.Add(firstRepair))
	if len(due) != 1 || due[0] != (pair{2, b, server}) {
		t.Errorf("of all, %v are missing", due)
	}
	pairs := []pair{{1, a, server}, {2, b, server}, {3, a, server}, {6, a, server}, {2, lo, server}}
	for _, p := range pairs {
		r.lack(p, 0, now)
	}
	lost := r.look(pairs, all, own)
	if len(lost) != 2 || lost[0] != (pair{2, b, server}) || lost[1] != (pair{6, a, server}) { // the last has none at all
		t.Errorf("%v are missing", lost)
	}
	if len(r.due(now.Add(time.Hour))) != 2 {
		t.Errorf("remembers %v", r.missing)
	}
}

// TestRepairCountsOne: second subflows between the same addresses, which reopening
// for others brings, do not use up the attempts for the first.
func TestRepairCountsOne(t *testing.T) {
	now := time.Now()
	a, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddrPort("10.1.0.2:443")
	own := owned{a: mark{}}
	first := socket{token: 1, local: netip.AddrPortFrom(a, 1), remote: server, dialed: true, established: true}
	var r repair
	event := func(typ EventType, port uint16) {
		r.event(Event{Type: typ, Token: 1, Local: netip.AddrPortFrom(a, port), Remote: server}, own, now)
	}
	for range mostRepairs {
		event(EventSubflowEstablished, 2)
		event(EventSubflowClosed, 2)
		now = now.Add(firstRepair)
		if lost := r.look(r.due(now), []socket{first}, own); len(lost) != 0 {
			t.Fatalf("%v are missing", lost)
		}
	}
	event(EventSubflowClosed, 1)
	refused := 0
	for range 100 {
		now = now.Add(firstRepair)
		for range r.look(r.due(now), nil, own) {
			event(EventSubflowEstablished, 3) // another that is refused, while the first attempt lasts
			event(EventSubflowClosed, 4)
			event(EventSubflowClosed, 3)
			refused++
		}
	}
	if refused != mostRefusals {
		t.Errorf("given up after %d attempts, want %d", refused, mostRefusals)
	}
}

// TestRepairUntold: the end of a subflow was not told, of one whose endpoint was
// taken away before it, and that of the next one counts.
func TestRepairUntold(t *testing.T) {
	now := time.Now()
	a, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddrPort("10.1.0.2:443")
	own := owned{a: mark{}}
	var r repair
	event := func(typ EventType, port uint16) {
		r.event(Event{Type: typ, Token: 1, Local: netip.AddrPortFrom(a, port), Remote: server}, own, now)
	}
	event(EventSubflowClosed, 1)
	event(EventSubflowEstablished, 2)
	now = now.Add(proven)
	event(EventSubflowEstablished, 3)
	event(EventSubflowClosed, 3)
	now = now.Add(firstRepair)
	if lost := r.look(r.due(now), nil, own); len(lost) != 1 {
		t.Errorf("%v are missing", lost)
	}
}

// TestRepairWaits: a subflow in its handshake is neither there nor missing, and
// one whose handshakes all come to nothing is given up.
func TestRepairWaits(t *testing.T) {
	now := time.Now()
	a, server := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddrPort("10.1.0.2:443")
	own := owned{a: mark{}}
	begun := socket{token: 1, local: netip.AddrPortFrom(a, 2), remote: server, dialed: true}
	var r repair
	closed := func() {
		r.event(Event{Type: EventSubflowClosed, Token: 1, Local: netip.AddrPortFrom(a, 1), Remote: server}, own, now)
	}
	closed()
	attempts := 0
	for i := range 1000 {
		now = now.Add(firstRepair)
		all := []socket{begun}
		if i%130 == 0 {
			all = nil // the SYN has timed out
			closed()
		}
		attempts += len(r.look(r.due(now), all, own))
	}
	if attempts > mostRefusals || !r.next.IsZero() {
		t.Errorf("%d attempts, the next at %v", attempts, r.next)
	}
}

// TestSpares: of what has come, only what was missing is to stay.
func TestSpares(t *testing.T) {
	now := time.Now()
	e := Endpoint{Addr: netip.MustParseAddr("10.2.0.1"), IfIndex: 3}
	one := func(token uint32, local, remote string) socket {
		return socket{token: token, local: netip.MustParseAddrPort(local + ":1"), remote: netip.MustParseAddrPort(remote + ":443"), established: true}
	}
	begun := one(2, "10.2.0.1", "10.1.0.2") // and may still be the one
	begun.established = false
	s := newSpares(e, []socket{one(1, "10.2.0.1", "10.1.0.2"), one(2, "10.1.0.1", "10.1.0.2"), begun}, now)
	for _, x := range []struct {
		what          string
		typ           EventType
		token         uint32
		local, remote string
		port          uint16
		index         int
		spare         bool
	}{
		{"has one", EventSubflowEstablished, 1, "10.2.0.1", "10.1.0.2", 7, 3, true},
		{"its end", EventSubflowClosed, 1, "10.2.0.1", "10.1.0.2", 7, 3, false},
		{"was missing", EventSubflowEstablished, 2, "10.2.0.1", "10.1.0.2", 7, 3, false},
		{"a second one", EventSubflowEstablished, 2, "10.2.0.1", "10.1.0.2", 8, 3, true},
		{"another address of the peer", EventSubflowEstablished, 1, "10.2.0.1", "10.3.0.2", 7, 3, false},
		{"another address", EventSubflowEstablished, 3, "10.2.0.99", "10.1.0.2", 7, 3, true},
		{"another interface", EventSubflowEstablished, 1, "10.2.0.1", "10.1.0.2", 7, 2, false},
		{"the other family", EventSubflowEstablished, 1, "fd00:2::1", "fd00:1::2", 7, 3, false},
		{"lost", EventSubflowClosed, 1, "10.2.0.1", "10.1.0.2", 1, 3, false},
		{"and open again", EventSubflowEstablished, 1, "10.2.0.1", "10.1.0.2", 9, 3, false},
	} {
		got := s.event(Event{
			Type: x.typ, Token: x.token, IfIndex: x.index,
			Local: netip.AddrPortFrom(netip.MustParseAddr(x.local), x.port), Remote: netip.AddrPortFrom(netip.MustParseAddr(x.remote), 443),
		})
		if got != x.spare {
			t.Errorf("%s: superfluous: %v", x.what, got)
		}
	}
}
