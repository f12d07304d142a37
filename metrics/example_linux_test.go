package metrics_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

// A server whose requests are counted by what carried them. With gRPC it is
// grpcdialer.WithReporter that takes such a function.
func Example() {
	reader := metric.NewManualReader() // or an exporter's, such as that for Prometheus
	m, err := metrics.Register(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Unregister()
	count := func(_ context.Context, r httptransport.Report) {
		m.CountRPC(metrics.HTTP, r.Side.String(), r.Status)
	}
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: httptransport.Handler(http.NotFoundHandler(), count)}
	go server.Serve(ln)

	client := &http.Client{Transport: httptransport.RoundTripper(nil)}
	for range 3 {
		response, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	client.CloseIdleConnections()
	server.Shutdown(context.Background())

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		log.Fatal(err)
	}
	for _, metric := range collected.ScopeMetrics[0].Metrics {
		if metric.Name == "mptcp.rpc.count" {
			for _, p := range metric.Data.(metricdata.Sum[int64]).DataPoints {
				role, _ := p.Attributes.Value(metrics.RoleKey)
				status, _ := p.Attributes.Value(metrics.StatusKey)
				fmt.Println(role.AsString(), status.AsString(), p.Value)
			}
		}
	}
	// Output: server multipath 3
}

// What is new in each run is left out here.
func ExampleLogEnds() {
	volatile := []string{slog.TimeKey, "id", "local", "remote", "lasted", "dialed", "subflows", "sent", "received"}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if slices.Contains(volatile, a.Key) {
			return slog.Attr{}
		}
		return a
	}}))
	ln, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	ended := make(chan struct{})
	logEnd := metrics.LogEnds(logger)
	d := &transport.Dialer{OnChange: func(c *transport.Connection, from, to mptcp.Status) {
		logEnd(c, from, to)
		if c.Last() {
			close(ended)
		}
	}}
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	c.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
	}
	// Output: level=INFO msg="connection ended" role=dialed status=fallback reason=not-answered
}
