package grpcdialer_test

import (
	"context"
	"math"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/internal/mallocs"
	"github.com/multipath-go/mptcp/transport"
)

// allocsPerRPC returns how many allocations a unary RPC costs client and
// server together. Other goroutines of the process allocate, but never less than
// nothing: it is the lowest average, once fifteen more were not lower.
func allocsPerRPC(t *testing.T, server []grpc.ServerOption, dial []grpc.DialOption) float64 {
	t.Helper()
	ln := listen(t, transport.Prefer)
	serve(t, ln, server...)
	tc := testgrpc.NewTestServiceClient(client(t, ln.Addr().String(), append(dial, plaintext)...))
	ctx := testContext(t)
	empty := new(testpb.Empty)
	call := func() {
		if _, err := tc.EmptyCall(ctx, empty); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		call() // pools fill, slices grow
	}
	least := math.Inf(1)
	for in := 0; in < 15; in++ {
		if m := mallocs.Mean(200, call); m < least {
			if m < least-0.05 {
				in = 0
			}
			least = m
		}
	}
	return least
}

func TestAllocsPerRPC(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	nothing := func(_ context.Context, r grpcdialer.Report) {
		if r.Status.State != mptcp.Multipath {
			t.Errorf("%+v", r)
		}
	}
	reporter := grpcdialer.WithReporter(nothing)
	// As DialOptions and ServerOptions are but for the interceptors: a fixed
	// window spares gRPC the pings by which it estimates one.
	const window = 16 << 20
	plain := allocsPerRPC(t,
		[]grpc.ServerOption{grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window)},
		[]grpc.DialOption{
			grpc.WithContextDialer(grpcdialer.New(nil)),
			grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		})
	for _, c := range []struct {
		name  string
		extra float64
		limit float64
	}{
		{"idle interceptors", allocsPerRPC(t, grpcdialer.ServerOptions(), grpcdialer.DialOptions()) - plain, 0},
		{"both sides report", allocsPerRPC(t, grpcdialer.ServerOptions(reporter), grpcdialer.DialOptions(reporter)) - plain, 2},
		{"with the trailer", allocsPerRPC(t, grpcdialer.ServerOptions(reporter, grpcdialer.WithTrailer()), grpcdialer.DialOptions(reporter)) - plain, 15},
	} {
		t.Logf("%s: %.2f allocations more than %.2f", c.name, c.extra, plain)
		// The race detector has pools drop a quarter of what they are given,
		// which makes a few tenths of difference.
		if c.extra > c.limit+0.7 {
			t.Errorf("%s: %v allocations per RPC more than without, want at most %v", c.name, c.extra, c.limit)
		}
	}
}

// Asking for the status in a handler does not allocate.
func TestFromContextAllocs(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	var allocs float64
	ln := listen(t, transport.Prefer)
	serveService(t, ln, contextServer{seen: func(ctx context.Context) {
		ask := func() {
			if s, err := grpcdialer.FromContext(ctx); err != nil || s.State != mptcp.Multipath {
				t.Errorf("%v, %v", s, err)
			}
		}
		allocs = testing.AllocsPerRun(1000, ask)
		for range 9 {
			allocs = min(allocs, testing.AllocsPerRun(1000, ask))
		}
	}})
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(), plaintext)...)
	if _, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
		t.Fatal(err)
	}
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func BenchmarkFromContext(b *testing.B) {
	needMultipath(b)
	ln := listen(b, transport.Prefer)
	serveService(b, ln, contextServer{seen: func(ctx context.Context) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := grpcdialer.FromContext(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}})
	cc := client(b, ln.Addr().String(), append(grpcdialer.DialOptions(), plaintext)...)
	if _, err := testgrpc.NewTestServiceClient(cc).EmptyCall(context.Background(), new(testpb.Empty)); err != nil {
		b.Fatal(err)
	}
}
