package scene

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

const (
	rounds   = 20               // exchanges before the first path is lost, and after
	patience = 20 * time.Second // for a subflow to join, and for an exchange after the loss
	longest  = 10 * time.Second // an exchange may take on a busy machine; some 0.8 s is usual
)

// A Program is one that is put to the test.
type Program struct {
	Name    string // its row in the table
	Version string
	Us      string // what of it is this module: "client", "server", "client and server"

	// Exchange has the two ends exchange something, and checks it. It must not
	// begin a new connection.
	Exchange func() error
}

// Survives proves that a program uses Multipath TCP, that this module knows,
// and that a connection of it outlives the path on which it began. The test
// fails otherwise. What was seen is recorded as the program's row of the
// table.
func (s *Scene) Survives(p Program) {
	s.t.Helper()
	if err := s.exchange(p, rounds); err != nil {
		s.t.Fatalf("%s does not work: %v\n%s", p.Name, err, s.seen())
	}
	for begin := time.Now(); !s.joined(); {
		if time.Since(begin) > s.patience {
			s.t.Fatalf("%s: no subflow has joined in %v\n%s", p.Name, s.patience, s.seen())
		}
		if err := s.exchange(p, 1); err != nil {
			s.t.Fatalf("%s does not work: %v\n%s", p.Name, err, s.seen())
		}
		time.Sleep(10 * time.Millisecond)
	}
	before := s.multipath(p)
	s.onTheWire(p)
	wires := [2]Count{s.wires[0].now(), s.wires[1].now()}

	// Nobody is told: the hosts have to notice.
	s.first.Inject(mptcptest.DropAll())
	gap, err := s.longestExchange(p)
	if err != nil {
		s.t.Fatalf("%s did not survive the loss of a path: %v\n%s", p.Name, err, s.seen())
	}
	if gap > longest {
		s.t.Errorf("%s stood still for %v", p.Name, gap)
	}
	after := s.multipath(p)
	for id := range before {
		if after[id] == nil {
			s.t.Errorf("%s: connection %d of %v did not live on", p.Name, id, slices.Sorted(maps.Keys(before)))
		}
	}
	first, second := s.wires[0].now().sub(wires[0]), s.wires[1].now().sub(wires[1])
	if n := first.CapableSYN + first.PlainSYN + second.CapableSYN + second.PlainSYN; n > 0 {
		s.t.Errorf("%s began %d connections after the loss: it did not survive but begin again\n%s", p.Name, n, s.seen())
	}
	if second.DataUp == 0 || second.DataDown == 0 || first.plain()+second.plain() > 0 {
		s.t.Errorf("%s: after the loss of the first path: on it %v, on the second %v", p.Name, first, second)
	}
	if !s.t.Failed() {
		s.record(s.t, Result{Program: p.Name, Version: p.Version, Us: p.Us, Outcome: mptcp.Multipath.String(), Gap: gap})
	}
}

func (s *Scene) exchange(p Program, n int) error {
	for range n {
		if err := p.Exchange(); err != nil {
			return err
		}
	}
	return nil
}

// longestExchange has a program do its exchanges, and returns how long the
// longest took.
func (s *Scene) longestExchange(p Program) (gap time.Duration, err error) {
	done := make(chan error, 1)
	var took time.Duration
	go func() {
		for range rounds {
			begin := time.Now()
			if err := p.Exchange(); err != nil {
				done <- err
				return
			}
			took = max(took, time.Since(begin))
		}
		done <- nil
	}()
	select {
	case err := <-done:
		return took, err
	case <-time.After(rounds*100*time.Millisecond + s.patience):
		return 0, fmt.Errorf("%d exchanges are not done after %v", rounds, s.patience)
	}
}

// joined says whether both kernels have a second subflow that works.
func (s *Scene) joined() bool {
	return s.Server.Counters()["MPJoinAckRx"] > 0 && s.Client.Counters()["MPJoinSynAckRx"] > 0
}

// multipath checks the status of this module's connections, and returns them.
func (s *Scene) multipath(p Program) map[uint64]*transport.Connection {
	s.t.Helper()
	all := make(map[uint64]*transport.Connection)
	for c := range s.connections() {
		status, err := c.Status()
		if err != nil || status.State != mptcp.Multipath || !status.Confirmed {
			s.t.Errorf("%s: %v connection %v to %v: %v, confirmed %t, %v",
				p.Name, c.Role(), c.LocalAddr(), c.RemoteAddr(), status, status.Confirmed, err)
		}
		all[c.ID()] = c
	}
	if len(all) == 0 {
		s.t.Errorf("%s has no connection of this module", p.Name)
	}
	return all
}

// onTheWire checks that both kernels, and the packets, say Multipath TCP and
// nothing else.
func (s *Scene) onTheWire(p Program) {
	s.t.Helper()
	client, server := s.Client.Counters(), s.Server.Counters()
	for name, c := range map[string]struct {
		counters mptcp.Counters
		host     *mptcptest.Host
	}{"MPCapableSYNACKRX": {client, s.Client}, "MPCapableACKRX": {server, s.Server}} {
		if c.counters[name] == 0 {
			s.t.Errorf("%s: %s of the %s is 0", p.Name, name, c.host)
		}
	}
	first, second := s.wires[0].now(), s.wires[1].now()
	if first.CapableSYN == 0 || first.CapableACK == 0 || first.DataUp == 0 || first.DataDown == 0 ||
		first.plain()+second.plain() > 0 || second.JoinSYN == 0 {
		s.t.Errorf("%s on the wire:\n%s", p.Name, s.seen())
	}
}

// seen describes what has happened.
func (s *Scene) seen() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  first path   %v\n  second path  %v\n", s.wires[0].now(), s.wires[1].now())
	for _, h := range []*mptcptest.Host{s.Client, s.Server} {
		fmt.Fprintf(&b, "  %-12s", h)
		for name, n := range h.Counters().Sorted() {
			if n > 0 {
				fmt.Fprintf(&b, " %s %d", name, n)
			}
		}
		b.WriteByte('\n')
	}
	for c := range s.connections() {
		status, err := c.Status()
		fmt.Fprintf(&b, "  %v %v -> %v: %v %v\n", c.Role(), c.LocalAddr(), c.RemoteAddr(), status, err)
	}
	return b.String()
}
