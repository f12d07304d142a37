package pages

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

// countedGRPC returns the options that count RPCs, of a client and a server.
func countedGRPC(m *metrics.Metrics, provider metric.MeterProvider) ([]grpc.DialOption, []grpc.ServerOption) {
	count := grpcdialer.WithReporter(func(_ context.Context, r grpcdialer.Report) {
		m.CountRPC(metrics.GRPC, r.Side.String(), r.Status)
	})
	client := append(grpcdialer.DialOptions(count),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithMeterProvider(provider))))
	server := append(grpcdialer.ServerOptions(count),
		grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithMeterProvider(provider), byStatus)))
	return client, server
}

// byStatus puts the status on the metrics of otelgrpc's server.
var byStatus = otelgrpc.WithMetricAttributesFn(func(ctx context.Context) []attribute.KeyValue {
	s, _ := grpcdialer.FromContext(ctx)
	return []attribute.KeyValue{metrics.Status(s)}
})

// gathered is what Prometheus would scrape.
func gathered(t *testing.T, do func(provider *sdk.MeterProvider, m *metrics.Metrics)) map[string]*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	check(t, err)
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	defer provider.Shutdown(context.Background())
	m, err := metrics.Register(provider)
	check(t, err)
	defer m.Unregister()
	if do != nil {
		do(provider, m)
	}
	families, err := registry.Gather()
	check(t, err)
	byName := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// sum adds up the values of those series that have the labels.
func sum(f *dto.MetricFamily, labels ...string) (total float64) {
	for _, m := range f.GetMetric() {
		has := 0
		for _, l := range m.Label {
			if slices.Contains(labels, l.GetName()+"="+l.GetValue()) {
				has++
			}
		}
		if has == len(labels) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// TestBesideOthers: RPCs and requests over real sockets are counted by this
// module and by otelgrpc and otelhttp, with one provider, and none disturbs
// another.
func TestBesideOthers(t *testing.T) {
	const n = 5
	families := gathered(t, func(provider *sdk.MeterProvider, m *metrics.Metrics) {
		client, server := countedGRPC(m, provider)
		ln, err := transport.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		s := grpc.NewServer(server...)
		testgrpc.RegisterTestServiceServer(s, asker{})
		go s.Serve(ln)
		conn, err := grpc.NewClient(ln.Addr().String(), append(client, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		check(t, err)
		for range n {
			_, err := testgrpc.NewTestServiceClient(conn).EmptyCall(t.Context(), new(testpb.Empty))
			check(t, err)
		}
		conn.Close()
		s.GracefulStop()

		count := func(_ context.Context, r httptransport.Report) {
			m.CountRPC(metrics.HTTP, r.Side.String(), r.Status)
		}
		ln, err = transport.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
		h := &http.Server{Handler: otelhttp.NewHandler(httptransport.Handler(hello, count), "hello", otelhttp.WithMeterProvider(provider))}
		go h.Serve(ln)
		web := &http.Client{Transport: otelhttp.NewTransport(
			httptransport.ReportingRoundTripper(nil, count), otelhttp.WithMeterProvider(provider))}
		for range n {
			response, err := web.Get("http://" + ln.Addr().String())
			check(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			check(t, err)
			response.Body.Close()
		}
		web.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		check(t, h.Shutdown(ctx))
	})
	for _, side := range []string{"client", "server"} {
		for _, system := range []string{"grpc", "http"} {
			labels := []string{"mptcp_role=" + side, "mptcp_rpc_system=" + system, "mptcp_status=multipath"}
			if got := sum(families["mptcp_rpc_count_total"], labels...); got != n {
				t.Errorf("mptcp_rpc_count_total%v is %v, want %d", labels, got, n)
			}
			var theirs string
			for name, f := range families {
				if strings.HasPrefix(name, map[string]string{"grpc": "rpc_", "http": "http_"}[system]+side) && sum(f) >= n {
					theirs = name
				}
			}
			if theirs == "" {
				t.Errorf("nothing of otel%s about its %s", system, side)
			}
		}
	}
	marked := 0.0
	for name, f := range families {
		if strings.HasPrefix(name, "rpc_server") {
			marked = max(marked, sum(f, "mptcp_status=multipath"))
		}
	}
	if marked != n {
		t.Errorf("%v RPCs of otelgrpc have the status, want %d", marked, n)
	}
}
