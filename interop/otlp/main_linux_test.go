package otlp

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

func TestMain(m *testing.M) { scene.Main(m, serve) }

// serve is the receiver of the OpenTelemetry Collector, with its own listeners.
// It refuses what is not one span of the name that TestCollector sends.
func serve() error {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{
		"grpc": map[string]any{"endpoint": "0.0.0.0:4317"},
		"http": map[string]any{"endpoint": "0.0.0.0:4318"},
	}}).Unmarshal(config); err != nil {
		return err
	}
	sink, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		if traces.SpanCount() != 1 {
			return errSpans
		}
		if traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Name() != collected {
			return errSpans
		}
		return nil
	})
	if err != nil {
		return err
	}
	settings := receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}
	r, err := factory.CreateTraces(context.Background(), settings, config, sink)
	if err != nil {
		return err
	}
	if err := r.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return err
	}
	select {}
}
