package metrics

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// ScopeName is the name of the instrumentation scope of all instruments, to
// choose them by in a view.
const ScopeName = "github.com/multipath-go/mptcp/metrics"

// Systems that [Metrics.CountRPC] tells apart.
const (
	GRPC = "grpc"
	HTTP = "http"
)

// Metrics are the instruments that [Register] has made with one meter provider.
// It is safe for concurrent use. A nil *Metrics counts nothing.
type Metrics struct {
	instruments  *instruments
	registration metric.Registration
	rpcs         [systems][sides][states]atomic.Uint64

	mu     sync.Mutex // one collection at a time
	labels *labels
	sums   conntable.Sums // of the newest collection
	dials  *dials
}

// Register makes the instruments with provider and has them observed whenever
// its readers collect. Call it once for each provider: what is registered twice
// is counted twice. The provider is [otel.GetMeterProvider] or one of your own.
//
// Counters begin with the process and not with the call; the histogram of dials
// begins with the call. Register asks the kernel nothing, starts no goroutine and
// needs no privilege. Where there is no
// Multipath TCP, the instruments say so, and those of the kernel are absent.
func Register(provider metric.MeterProvider) (*Metrics, error) {
	if provider == nil {
		return nil, errors.New("metrics: no meter provider: use otel.GetMeterProvider() or one of your own")
	}
	meter := provider.Meter(ScopeName)
	m := &Metrics{labels: newLabels()}
	var all []metric.Observable
	var err error
	if m.instruments, all, err = newInstruments(meter); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	m.dials = newDials(m.instruments.dials, m.labels)
	if m.registration, err = meter.RegisterCallback(m.collect, all...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return m, nil
}

// Unregister ends the observation: counters are exported no more. What
// [Metrics.CountRPC] is told after that is lost.
func (m *Metrics) Unregister() error {
	if m == nil {
		return nil
	}
	return m.registration.Unregister()
}

// CountRPC counts an RPC or a request that has ended, and s, the status of its
// connection, which is zero if there was none. It is for the reporters of
// packages grpcdialer and httptransport, and of whatever else knows a status.
// System is [GRPC] or [HTTP]; side is "client" or "server". A system that is
// neither is counted as "other", and a side that is neither as "server".
//
// It costs an atomic addition, some nanoseconds, and does not allocate.
func (m *Metrics) CountRPC(system, side string, s mptcp.Status) {
	if m == nil {
		return
	}
	y, i := 2, 1
	switch system {
	case GRPC:
		y = 0
	case HTTP:
		y = 1
	}
	if side == "client" {
		i = 0
	}
	state := int(s.State)
	if state >= states {
		state = int(mptcp.Unknown)
	}
	m.rpcs[y][i][state].Add(1)
}
