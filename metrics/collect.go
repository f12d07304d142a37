package metrics

import (
	"context"
	"errors"
	"net"

	"go.opentelemetry.io/otel/metric"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// collect observes everything. It is called whenever a reader collects, by
// several readers at a time perhaps.
func (m *Metrics) collect(_ context.Context, o metric.Observer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections(o)
	m.sums.Read() // after the connections: to look at them adds to the sums
	m.opened(o)
	m.attempts(o)
	m.dials.record((*tally)(&m.sums.Dials))
	m.requests(o)
	return m.kernel(o)
}

// connections looks at the connections that are open.
func (m *Metrics) connections(o metric.Observer) {
	var count [roles][states]int64
	var subflows [roles]int64
	for c := range transport.Connections() {
		s, err := c.Status()
		if errors.Is(err, net.ErrClosed) {
			continue // meanwhile
		}
		r := c.Role() & 1
		count[r][s.State]++
		if n, ok := s.Subflows(); ok && s.State == mptcp.Multipath {
			subflows[r] += int64(n)
		}
	}
	for r := range count {
		for s, n := range count[r] {
			o.ObserveInt64(m.instruments.connections, n, m.labels.roleStatus[r][s])
		}
		o.ObserveInt64(m.instruments.subflows, subflows[r], m.labels.role[r])
	}
}

// opened observes what the tally says of connections. Combinations that have
// never been seen are left out: most of them cannot be.
func (m *Metrics) opened(o metric.Observer) {
	for r := range roles {
		for s := range m.sums.Opened[r] {
			for reason, n := range m.sums.Opened[r][s] {
				if n > 0 {
					o.ObserveInt64(m.instruments.established, int64(n), m.labels.opened(r, s, reason))
				}
			}
		}
		for reason := range m.sums.Lost[r] {
			if n := m.sums.Lost[r][reason]; n > 0 {
				o.ObserveInt64(m.instruments.lost, int64(n), m.labels.withReason(r, reason))
			}
			if n := m.sums.Ended[r][reason]; n > 0 {
				o.ObserveInt64(m.instruments.ended, int64(n), m.labels.withReason(r, reason))
			}
		}
	}
	for option, n := range m.sums.Refused {
		o.ObserveInt64(m.instruments.refused, int64(n), m.labels.option[option])
	}
	o.ObserveInt64(m.instruments.io, int64(m.sums.Sent), m.labels.direction[0])
	o.ObserveInt64(m.instruments.io, int64(m.sums.Received), m.labels.direction[1])
}

// attempts observes how many attempts to connect there were.
func (m *Metrics) attempts(o metric.Observer) {
	for protocol := range m.sums.Attempts {
		for used, n := range m.sums.Attempts[protocol] {
			o.ObserveInt64(m.instruments.attempts, int64(n), m.labels.attempt[protocol][used])
		}
	}
}

// requests observes what CountRPC has counted.
func (m *Metrics) requests(o metric.Observer) {
	for y := range m.rpcs {
		for i := range m.rpcs[y] {
			for s := range m.rpcs[y][i] {
				if n := m.rpcs[y][i][s].Load(); n > 0 {
					o.ObserveInt64(m.instruments.rpcs, int64(n), m.labels.rpc[y][i][s])
				}
			}
		}
	}
}

// established is the one counter of the kernel that goes down as well.
const established = "MPCurrEstab"

// kernel observes whether there is Multipath TCP, and the kernel's counters.
func (m *Metrics) kernel(o metric.Observer) error {
	switch err := mptcp.Probe(); {
	case err == nil:
		o.ObserveInt64(m.instruments.available, 1)
	case errors.Is(err, errors.ErrUnsupported):
		o.ObserveInt64(m.instruments.available, 0)
	}
	all, err := mptcp.ReadCounters()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	for name, n := range all {
		if name == established {
			o.ObserveInt64(m.instruments.kernelNow, int64(n))
		} else if label := m.labels.kernel(name); label != nil {
			o.ObserveInt64(m.instruments.kernel, int64(n), label)
		}
	}
	return err
}
