package otlp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

// A sink is a collector's end of the protocol: it says what came, and by what.
type sink struct {
	collector.UnimplementedTraceServiceServer
	spans chan string
}

func newSink() *sink { return &sink{spans: make(chan string, 10)} }

// Export is the collector's method of gRPC.
func (s *sink) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	status, err := grpcdialer.FromContext(ctx)
	s.take(r, fmt.Sprint(status, " ", err))
	return new(collector.ExportTraceServiceResponse), nil
}

// ServeHTTP is the same by HTTP.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(b, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status, err := httptransport.FromRequest(r)
	s.take(&request, fmt.Sprint(status, " ", err))
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (s *sink) take(r *collector.ExportTraceServiceRequest, status string) {
	for _, resource := range r.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans <- span.Name + " by " + status
			}
		}
	}
}

// survives has an exporter send one span at a time to a sink.
func survives(t *testing.T, s *scene.Scene, name, module string, sink *sink, exporter *otlptrace.Exporter) {
	t.Cleanup(func() { exporter.Shutdown(context.Background()) })
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter))
	tracer := provider.Tracer("interop")
	n := 0
	s.Survives(scene.Program{
		Name: name, Version: scene.ModuleVersion(t, module), Us: "client and server",
		Exchange: func() error {
			n++
			_, span := tracer.Start(t.Context(), fmt.Sprint("span ", n))
			span.End() // sends it, and waits
			select {
			case got := <-sink.spans:
				if want := fmt.Sprintf("span %d by multipath <nil>", n); got != want {
					return fmt.Errorf("the collector got %q, not %q", got, want)
				}
				return nil
			default:
				return fmt.Errorf("span %d was not delivered", n)
			}
		},
	})
}

// TestOTLPGRPC has the exporter for traces deliver each span by gRPC.
func TestOTLPGRPC(t *testing.T) {
	s, sink := scene.New(t), newSink()
	server := grpc.NewServer(grpcdialer.ServerOptions()...)
	collector.RegisterTraceServiceServer(server, sink)
	go server.Serve(s.Listen(4317))
	t.Cleanup(server.Stop)
	exporter, err := otlptracegrpc.New(t.Context(),
		otlptracegrpc.WithEndpoint(s.Address(4317)), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithDialOption(grpcdialer.DialOptions(grpcdialer.WithDialer(s.Dialer()))...))
	if err != nil {
		t.Fatal(err)
	}
	survives(t, s, "OTLP exporter, gRPC", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc", sink, exporter)
}

// TestOTLPHTTP has it deliver each by HTTP.
func TestOTLPHTTP(t *testing.T) {
	s, sink := scene.New(t), newSink()
	server := &http.Server{Handler: sink}
	go server.Serve(s.Listen(4318))
	t.Cleanup(func() { server.Close() })
	transport := httptransport.New(s.Dialer())
	t.Cleanup(transport.CloseIdleConnections)
	exporter, err := otlptracehttp.New(t.Context(),
		otlptracehttp.WithEndpoint(s.Address(4318)), otlptracehttp.WithInsecure(),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	survives(t, s, "OTLP exporter, HTTP", "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp", sink, exporter)
}
