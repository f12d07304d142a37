package metrics_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

// A probe is a meter provider whose metrics can be looked at.
type probe struct {
	t       testing.TB
	reader  *sdk.ManualReader
	metrics *metrics.Metrics
}

func newProbe(t testing.TB) *probe {
	t.Helper()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	m, err := metrics.Register(provider)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Unregister(); err != nil {
			t.Error(err)
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &probe{t, reader, m}
}

// A reading has each series by its name and attributes, as in
// "mptcp.io{network.io.direction=transmit}". A histogram is there as its count
// and its sum, "…_count{…}" and "…_sum{…}".
type reading map[string]float64

func (p *probe) collect() *metricdata.ResourceMetrics {
	p.t.Helper()
	rm := new(metricdata.ResourceMetrics)
	if err := p.reader.Collect(context.Background(), rm); err != nil {
		p.t.Fatal(err)
	}
	return rm
}

func (p *probe) read() reading {
	p.t.Helper()
	r := make(reading)
	for _, scope := range p.collect().ScopeMetrics {
		if scope.Scope.Name != metrics.ScopeName {
			p.t.Errorf("scope %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, d := range data.DataPoints {
					r[m.Name+braces(d)] = float64(d.Value)
				}
			case metricdata.Gauge[int64]:
				for _, d := range data.DataPoints {
					r[m.Name+braces(d)] = float64(d.Value)
				}
			case metricdata.Histogram[float64]:
				for _, d := range data.DataPoints {
					r[m.Name+"_count"+label(d.Attributes.Encoded(encoder{}))] = float64(d.Count)
					r[m.Name+"_sum"+label(d.Attributes.Encoded(encoder{}))] = d.Sum
				}
			default:
				p.t.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return r
}

func braces(d metricdata.DataPoint[int64]) string { return label(d.Attributes.Encoded(encoder{})) }

func label(s string) string {
	if s == "" {
		return ""
	}
	return "{" + s + "}"
}

// since returns what has changed.
func (r reading) since(before reading) reading {
	d := make(reading)
	for k, v := range r {
		if v != before[k] {
			d[k] = v - before[k]
		}
	}
	return d
}

func (r reading) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r)) {
		fmt.Fprintf(&b, "%s %v\n", k, r[k])
	}
	return b.String()
}

// expect checks those changes that have the given names.
func (r reading) expect(t *testing.T, names []string, want reading) {
	t.Helper()
	got := make(reading)
	for k, v := range r {
		name, _, _ := strings.Cut(k, "{")
		if slices.Contains(names, name) {
			got[k] = v
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got\n%vwant\n%v", got, want)
	}
}

// echo serves on ln until the test ends.
func echo(t testing.TB, ln net.Listener) {
	var serving sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		serving.Wait() // the clients are closed by now: the next test begins without them
	})
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
}

// server starts an echo server and returns its address.
func server(t testing.TB, mode transport.Mode) string {
	t.Helper()
	ln, err := (&transport.ListenConfig{Mode: mode}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, ln)
	return ln.Addr().String()
}

// exchange sends n bytes to an echo server and receives them.
func exchange(t testing.TB, c net.Conn, n int) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until f says yes.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 10 s", what)
		}
	}
}
