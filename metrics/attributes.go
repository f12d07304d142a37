package metrics

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/transport"
)

// Keys of the attributes. Their values are fixed words.
const (
	// RoleKey is "dialed" or "accepted" for connections, see
	// [transport.Role], and "client" or "server" for RPCs and requests.
	RoleKey = attribute.Key("mptcp.role")

	// StatusKey is a word of [mptcp.State], or "failed" for a dial that led to
	// no connection.
	StatusKey = attribute.Key("mptcp.status")

	// ReasonKey is a word of [mptcp.Reason]. It is absent where there is
	// nothing to explain.
	ReasonKey = attribute.Key("mptcp.reason")

	// ProtocolKey is "mptcp" or "tcp": what an attempt to connect used.
	ProtocolKey = attribute.Key("mptcp.protocol")

	// OutcomeKey is "connected" for the attempt that became the connection, and
	// "unused" for one that failed, was not answered or came too late.
	OutcomeKey = attribute.Key("mptcp.outcome")

	// OptionKey is "congestion-control" or "user-timeout": a socket option.
	OptionKey = attribute.Key("mptcp.socket.option")

	// SystemKey is "grpc", "http" or "other".
	SystemKey = attribute.Key("mptcp.rpc.system")

	// DirectionKey is "transmit" or "receive". It is the key of OpenTelemetry's
	// own conventions for bytes on a network.
	DirectionKey = attribute.Key("network.io.direction")

	// CounterKey is the kernel's name of one of its counters, such as
	// "MPCapableSYNTX".
	CounterKey = attribute.Key("mptcp.kernel.counter")
)

// Status returns the attribute that says what carries a connection's bytes, to
// be put on metrics of other instrumentation: see docs/prometheus.md.
func Status(s mptcp.Status) attribute.KeyValue { return StatusKey.String(s.State.String()) }

// Sizes of the ranges of attributes.
const (
	roles    = 2
	states   = int(mptcp.Multipath) + 1
	failed   = states // in place of a state: a dial that led to no connection
	systems  = 3
	sides    = 2
	counters = 256 // of the kernel, which has some 80
)

// labels are the sets of attributes, made once.
type labels struct {
	role        [roles]metric.MeasurementOption
	roleStatus  [roles][states]metric.MeasurementOption
	status      [states + 1]metric.MeasurementOption
	attempt     [2][2]metric.MeasurementOption
	option      [2]metric.MeasurementOption
	rpc         [systems][sides][states]metric.MeasurementOption
	direction   [2]metric.MeasurementOption
	roleReason  map[[2]uint8]metric.MeasurementOption
	established map[[3]uint8]metric.MeasurementOption
	counter     map[string]metric.MeasurementOption
}

func with(kv ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(kv...))
}

func newLabels() *labels {
	l := &labels{
		roleReason:  make(map[[2]uint8]metric.MeasurementOption),
		established: make(map[[3]uint8]metric.MeasurementOption),
		counter:     make(map[string]metric.MeasurementOption),
	}
	for r := range l.role {
		l.role[r] = with(role(r))
		for s := range states {
			l.roleStatus[r][s] = with(role(r), status(s))
		}
	}
	for s := range l.status {
		l.status[s] = with(status(s))
	}
	for p, protocol := range []string{"mptcp", "tcp"} {
		for o, outcome := range []string{"unused", "connected"} {
			l.attempt[p][o] = with(ProtocolKey.String(protocol), OutcomeKey.String(outcome))
		}
	}
	l.option[conntable.CongestionControl] = with(OptionKey.String("congestion-control"))
	l.option[conntable.UserTimeout] = with(OptionKey.String("user-timeout"))
	for y, system := range []string{GRPC, HTTP, "other"} {
		for i, side := range []string{"client", "server"} {
			for s := range states {
				l.rpc[y][i][s] = with(SystemKey.String(system), RoleKey.String(side), status(s))
			}
		}
	}
	for d, direction := range []string{"transmit", "receive"} {
		l.direction[d] = with(DirectionKey.String(direction))
	}
	return l
}

func role(r int) attribute.KeyValue { return RoleKey.String(transport.Role(r).String()) }

func status(s int) attribute.KeyValue {
	if s == failed {
		return StatusKey.String("failed")
	}
	return StatusKey.String(mptcp.State(s).String())
}

func (l *labels) withReason(r, reason int) metric.MeasurementOption {
	key := [2]uint8{uint8(r), uint8(reason)}
	o := l.roleReason[key]
	if o == nil {
		o = with(role(r), ReasonKey.String(mptcp.Reason(reason).String()))
		l.roleReason[key] = o
	}
	return o
}

func (l *labels) opened(r, s, reason int) metric.MeasurementOption {
	key := [3]uint8{uint8(r), uint8(s), uint8(reason)}
	o := l.established[key]
	if o == nil {
		kv := []attribute.KeyValue{role(r), status(s)}
		if mptcp.Reason(reason) != mptcp.ReasonUnknown || mptcp.State(s) != mptcp.Multipath {
			kv = append(kv, ReasonKey.String(mptcp.Reason(reason).String()))
		}
		o = with(kv...)
		l.established[key] = o
	}
	return o
}

// kernel returns the option for a counter of the kernel, or nil if there are
// more than anybody would expect.
func (l *labels) kernel(name string) metric.MeasurementOption {
	o := l.counter[name]
	if o == nil && len(l.counter) < counters {
		o = with(CounterKey.String(name))
		l.counter[name] = o
	}
	return o
}
