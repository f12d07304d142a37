package grpcdialer_test

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// An interceptor between a reporter's and gRPC may have an attempt under way, which has
// call options and writes to its peer, when the RPC is over and reported.
func TestLateAttempt(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	serve(t, ln)
	ctx := testContext(t)
	var rec recorder
	var late []func() error
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(grpcdialer.WithReporter(rec.report)), plaintext,
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			late = append(late, func() error { return next(ctx, method, req, new(testpb.Empty), cc, opts...) })
			return next(ctx, method, req, reply, cc, opts...)
		}))...)
	tc := testgrpc.NewTestServiceClient(cc)
	const n = 10
	for range n {
		if _, err := tc.EmptyCall(ctx, new(testpb.Empty)); err != nil {
			t.Fatal(err)
		}
	}
	if len(late) != n {
		t.Fatalf("%d late attempts, want %d", len(late), n)
	}
	for _, attempt := range late {
		if err := attempt(); err != nil {
			t.Error(err)
		}
	}
	for i, r := range rec.wait(t, n) {
		if r.Err != nil || r.StatusErr != nil || r.Status.State != mptcp.Multipath {
			t.Errorf("report %d: %+v", i, r)
		}
	}
}
