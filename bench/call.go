package main

import (
	"context"
	"testing"

	metricsdk "go.opentelemetry.io/otel/sdk/metric"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/metrics"
)

// alone is gRPC with the dialer and the listener of this module only.
const alone = "no interceptor"

func callTable() table {
	return table{
		name: "interceptors", title: "What interceptors cost an RPC", base: alone,
		note: "A unary RPC over loopback by this module, client and server together, one at a time. Idle interceptors are those of " +
			"DialOptions when nobody asks for a status. The last two report on both sides.",
		figures: []figure{{"µs", true}, {"allocations", true}},
		cases: []testCase{{name: "unary", rounds: 9, warm: true, prepare: func(l *lab) (ways []way) {
			m, err := metrics.Register(metricsdk.NewMeterProvider(metricsdk.WithReader(metricsdk.NewManualReader())))
			l.check(err)
			l.Cleanup(func() { l.check(m.Unregister()) })
			for _, c := range []struct {
				name    string
				options []grpcdialer.Option
			}{
				{alone, nil},
				{"idle", []grpcdialer.Option{}},
				{"reporting", []grpcdialer.Option{grpcdialer.WithReporter(count)}},
				{"reporting to metrics", []grpcdialer.Option{grpcdialer.WithReporter(func(_ context.Context, r grpcdialer.Report) {
					m.CountRPC(metrics.GRPC, r.Side.String(), r.Status)
				})}},
			} {
				ln, address := loopback.listen(l, ours)
				dialOptions := []grpc.DialOption{grpc.WithContextDialer(grpcdialer.New(nil)), grpc.WithInitialWindowSize(windowSize), grpc.WithInitialConnWindowSize(windowSize)}
				if c.options != nil {
					dialOptions = grpcdialer.DialOptions(c.options...)
				}
				server := grpc.NewServer(grpcdialer.ServerOptions(c.options...)...)
				testgrpc.RegisterTestServiceServer(server, service{})
				go server.Serve(ln)
				l.Cleanup(server.Stop)
				cc, err := grpc.NewClient("passthrough:///"+address, append(dialOptions, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
				l.check(err)
				l.Cleanup(func() { cc.Close() })
				client := testgrpc.NewTestServiceClient(cc)
				ways = append(ways, way{c.name, func(l *lab) []float64 {
					v := benchmark(l, func() error {
						_, err := client.EmptyCall(l, new(testpb.Empty))
						return err
					})
					return []float64{v[0] / 1e3, v[1]}
				}})
			}
			return ways
		}}},
	}
}

// benchmark returns the nanoseconds and the allocations of a call of f.
func benchmark(l *lab, f func() error) []float64 {
	var failed error
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f(); err != nil {
				failed = err
				return
			}
		}
	})
	l.check(failed)
	return []float64{float64(r.T.Nanoseconds()) / float64(r.N), float64(r.MemAllocs) / float64(r.N)}
}
