package metrics

import (
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// instruments are what is exported. docs/metrics.md has a table of them.
type instruments struct {
	connections metric.Int64ObservableUpDownCounter
	established metric.Int64ObservableCounter
	lost        metric.Int64ObservableCounter
	ended       metric.Int64ObservableCounter
	subflows    metric.Int64ObservableUpDownCounter
	io          metric.Int64ObservableCounter

	dials    metric.Float64Histogram
	attempts metric.Int64ObservableCounter
	refused  metric.Int64ObservableCounter

	rpcs metric.Int64ObservableCounter

	available metric.Int64ObservableGauge
	kernel    metric.Int64ObservableCounter
	kernelNow metric.Int64ObservableUpDownCounter
}

func newInstruments(meter metric.Meter) (*instruments, []metric.Observable, error) {
	i := new(instruments)
	var all []metric.Observable
	var errs []error
	counter := func(to *metric.Int64ObservableCounter, name, unit, description string) {
		o, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		*to, all, errs = o, append(all, o), append(errs, err)
	}
	upDown := func(to *metric.Int64ObservableUpDownCounter, name, unit, description string) {
		o, err := meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		*to, all, errs = o, append(all, o), append(errs, err)
	}

	upDown(&i.connections, "mptcp.connection.count", "{connection}",
		"Connections that are open now.")
	counter(&i.established, "mptcp.connection.established", "{connection}",
		"Connections that were opened, by what they were then.")
	counter(&i.lost, "mptcp.connection.lost", "{connection}",
		"Connections that were opened with Multipath TCP and have fallen back to TCP since.")
	counter(&i.ended, "mptcp.connection.ended", "{connection}",
		"Multipath TCP connections that this process has ended because their peer or their last path was dead.")
	upDown(&i.subflows, "mptcp.subflow.count", "{subflow}",
		"Subflows of the open Multipath TCP connections.")
	counter(&i.io, "mptcp.io", "By",
		"Bytes of applications carried by Multipath TCP.")

	bounds := make([]float64, len(conntable.DialBounds))
	for b, d := range conntable.DialBounds {
		bounds[b] = d.Seconds()
	}
	var err error
	i.dials, err = meter.Float64Histogram("mptcp.dial.duration", metric.WithUnit("s"),
		metric.WithDescription("How long dials took, name resolution included."),
		metric.WithExplicitBucketBoundaries(bounds...))
	errs = append(errs, err)
	counter(&i.attempts, "mptcp.dial.attempts", "{attempt}",
		"Attempts to connect that dials have made.")
	counter(&i.refused, "mptcp.socket.option.refused", "{option}",
		"Socket options that the kernel has refused, and that a connection does without.")

	counter(&i.rpcs, "mptcp.rpc.count", "{request}",
		"RPCs and requests that have ended, by what carried them.")

	i.available, err = meter.Int64ObservableGauge("mptcp.host.available",
		metric.WithDescription("Whether this process can open Multipath TCP sockets."))
	all, errs = append(all, i.available), append(errs, err)
	counter(&i.kernel, "mptcp.kernel.events", "{event}",
		"What the kernel has counted (MPTcpExt), in the whole network namespace.")
	upDown(&i.kernelNow, "mptcp.kernel.connection.count", "{connection}",
		"Established Multipath TCP connections in the whole network namespace.")
	return i, all, errors.Join(errs...)
}
