package otlp

import (
	"errors"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const collected = "a span for the collector" // name of a span

var errSpans = errors.New("not one span with the name that it should have")

// collects has an exporter send spans to the receiver of the Collector, which
// answers each.
func collects(t *testing.T, s *scene.Scene, name string, exporter *otlptrace.Exporter) {
	t.Cleanup(func() { exporter.Shutdown(t.Context()) })
	spans := tracetest.SpanStubs{{Name: collected}}.Snapshots()
	s.Survives(scene.Program{
		Name: name, Version: scene.ModuleVersion(t, "go.opentelemetry.io/collector/receiver/otlpreceiver"), Us: "client",
		Exchange: func() error { return exporter.ExportSpans(t.Context(), spans) },
	})
}

// TestCollectorGRPC has an exporter with a dialer of this module send to the
// Collector's receiver as it is, by gRPC.
func TestCollectorGRPC(t *testing.T) {
	s := scene.New(t)
	scene.StartSelf(t, s.Server)
	s.AwaitListener(4317)
	exporter, err := otlptracegrpc.New(t.Context(),
		otlptracegrpc.WithEndpoint(s.Address(4317)), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithDialOption(grpcdialer.DialOptions(grpcdialer.WithDialer(s.Dialer()))...))
	if err != nil {
		t.Fatal(err)
	}
	collects(t, s, "OpenTelemetry Collector, OTLP receiver, gRPC", exporter)
}

// TestCollectorHTTP does so by HTTP.
func TestCollectorHTTP(t *testing.T) {
	s := scene.New(t)
	scene.StartSelf(t, s.Server)
	s.AwaitListener(4318)
	transport := httptransport.New(s.Dialer())
	t.Cleanup(transport.CloseIdleConnections)
	exporter, err := otlptracehttp.New(t.Context(),
		otlptracehttp.WithEndpoint(s.Address(4318)), otlptracehttp.WithInsecure(),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	collects(t, s, "OpenTelemetry Collector, OTLP receiver, HTTP", exporter)
}
