package scene

import "github.com/multipath-go/mptcp"

// FallsBack proves that a program that knows only TCP is served by TCP, after
// a request for Multipath TCP where the client is this module, and that the
// status says want. The first path stays.
func (s *Scene) FallsBack(p Program, want string) {
	s.t.Helper()
	if err := s.exchange(p, rounds); err != nil {
		s.t.Fatalf("%s does not work: %v\n%s", p.Name, err, s.seen())
	}
	n := 0
	for c := range s.connections() {
		n++
		if status, err := c.Status(); err != nil || status.String() != want {
			s.t.Errorf("%s: %v, %v, not %s", p.Name, status, err, want)
		}
	}
	if n == 0 {
		s.t.Errorf("%s has no connection of this module", p.Name)
	}
	first, asked := s.wires[0].now(), want == fallback()
	if asked != (first.CapableSYN > 0) || asked == (first.PlainSYN > 0) || first.PlainACK == 0 ||
		first.CapableACK+first.DataUp+first.DataDown > 0 || first.PlainUp == 0 || first.PlainDown == 0 {
		s.t.Errorf("%s on the wire:\n%s", p.Name, s.seen())
	}
	if !s.t.Failed() {
		s.record(s.t, Result{Program: p.Name, Version: p.Version, Us: p.Us, Outcome: want})
	}
}

// fallback is the status of a connection to a peer that knows only TCP.
func fallback() string {
	return mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonNotAnswered}.String()
}
