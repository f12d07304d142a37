package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

// telemetry is what the program tells of itself.
type telemetry struct {
	provider *metric.MeterProvider
	meter    *metrics.Metrics
	scraped  http.Handler
}

func newTelemetry() (*telemetry, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, err
	}
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	m, err := metrics.Register(provider)
	if err != nil {
		return nil, err
	}
	return &telemetry{provider, m, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})}, nil
}

func (t *telemetry) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(t.meter.Unregister(), t.provider.Shutdown(ctx))
}

// count is told of each request that ends, on both ends.
func (t *telemetry) count(_ context.Context, r httptransport.Report) {
	t.meter.CountRPC(metrics.HTTP, r.Side.String(), r.Status)
}

// handler has next counted, by what carried the request and, beside that, as
// OpenTelemetry does it for any server.
func (t *telemetry) handler(next http.Handler) http.Handler {
	next = httptransport.Handler(next, t.count)
	return otelhttp.NewHandler(next, "server", otelhttp.WithMeterProvider(t.provider))
}

// roundTripper is the client's side of it.
func (t *telemetry) roundTripper() http.RoundTripper {
	base := httptransport.New(&transport.Dialer{})
	return otelhttp.NewTransport(httptransport.ReportingRoundTripper(base, t.count), otelhttp.WithMeterProvider(t.provider))
}
