package mptcpz

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// newEvents takes another sample, and returns what has happened.
func newEvents(s *sampler) []event {
	s.mu.Lock()
	if s.last != nil {
		s.last.at = s.last.at.Add(-2 * interval)
	}
	n := s.log.n
	s.mu.Unlock()
	return slices.DeleteFunc(s.sample().events, func(e event) bool { return e.N <= n })
}

// TestEvents follows connections through their lives.
func TestEvents(t *testing.T) {
	s := newSampler()
	next := func() []event { return newEvents(s) }
	if e := next(); len(e) != 0 {
		t.Errorf("what was there before is not an event: %v", e)
	}
	client, server := pair(t, transport.Prefer)
	talk(t, client, server, 5000)
	id := transport.Lookup(client.LocalAddr()).ID()
	mine := func(list []event) (mine []event) {
		for _, e := range list {
			if e.Connection == id {
				mine = append(mine, e)
			}
		}
		return mine
	}
	if e := mine(next()); len(e) != 1 || e[0].Kind != "opened" || e[0].State != mptcp.Multipath ||
		e[0].Text != fmt.Sprintf("#%d to %v opened: multipath", id, client.RemoteAddr()) {
		t.Errorf("opened: %+v", e)
	}
	if e := mine(next()); len(e) != 0 {
		t.Errorf("nothing happened: %+v", e)
	}
	client.Close()
	if e := mine(next()); len(e) != 1 || e[0].Kind != "ended" || !strings.Contains(e[0].Text, "was multipath, sent 5.0 kB, received 0 B") {
		t.Errorf("ended: %+v", e)
	}
	s.probe = func() error { return mptcp.ErrNotTCP }
	if e := next(); len(e) == 0 || e[0].Kind != "host" {
		t.Errorf("the host: %+v", e)
	}

	// A crowd is told as a crowd, and the log has an end.
	for range burst {
		pair(t, transport.Prefer)
	}
	e := next()
	if n := len(e); n < burst+1 || n > burst+2 || e[n-1].Kind != "more" || !strings.Contains(e[n-1].Text, "opened") {
		t.Errorf("%d events of %d connections: %+v", n, 2*burst, e[n-1])
	}
	for range memory + 10 {
		s.log.add(event{})
	}
	if n := len(s.log.list); n != memory {
		t.Errorf("%d events are remembered", n)
	}
}
