package grpcdialer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// The cases of grpc/doc/interop-test-descriptions.md that need no outside
// services. The package calls os.Exit when one fails.
var interopCases = []struct {
	name string
	run  func(context.Context, *grpc.ClientConn)
	rpcs int
}{
	{"empty_unary", withStub(interop.DoEmptyUnaryCall), 1},
	{"large_unary", withStub(interop.DoLargeUnaryCall), 1},
	{"client_streaming", withStub(interop.DoClientStreaming), 1},
	{"server_streaming", withStub(interop.DoServerStreaming), 1},
	{"ping_pong", withStub(interop.DoPingPong), 1},
	{"empty_stream", withStub(interop.DoEmptyStream), 1},
	{"timeout_on_sleeping_server", withStub(interop.DoTimeoutOnSleepingServer), 1},
	{"cancel_after_begin", withStub(interop.DoCancelAfterBegin), 1},
	{"cancel_after_first_response", withStub(interop.DoCancelAfterFirstResponse), 1},
	{"custom_metadata", withStub(interop.DoCustomMetadata), 2},
	{"status_code_and_message", withStub(interop.DoStatusCodeAndMessage), 2},
	{"special_status_message", withStub(interop.DoSpecialStatusMessage), 1},
	{"unimplemented_method", interop.DoUnimplementedMethod, 1},
	{"unimplemented_service", func(ctx context.Context, cc *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(cc))
	}, 1},
}

func withStub(do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn) {
	return func(ctx context.Context, cc *grpc.ClientConn) { do(ctx, testgrpc.NewTestServiceClient(cc)) }
}

// thoughtful makes the server answer client streams with a delay. Without it
// the answer may be faster than the client that cancels in cancel_after_begin,
// which that case takes for a failure.
func thoughtful(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.IsClientStream && !info.IsServerStream {
		ss = slowAnswer{ss}
	}
	return handler(srv, ss)
}

type slowAnswer struct{ grpc.ServerStream }

func (s slowAnswer) SendMsg(m any) error {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-s.Context().Done():
	}
	return s.ServerStream.SendMsg(m)
}

func TestInterop(t *testing.T) {
	needMultipath(t)
	type sides struct{ client, server mptcp.State }
	for mode, want := range map[transport.Mode]sides{
		transport.Prefer: {mptcp.Multipath, mptcp.Multipath},
		transport.Off:    {mptcp.Fallback, mptcp.TCP}, // nobody answers the client's offer
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/tls=%v", want.client, secure), func(t *testing.T) {
				checkLeaks(t)
				clientSide, serverSide := new(recorder), new(recorder)
				serverOpts := grpcdialer.ServerOptions(grpcdialer.WithReporter(serverSide.report), grpcdialer.WithTrailer())
				dialOpts := grpcdialer.DialOptions(grpcdialer.WithReporter(clientSide.report))
				if secure {
					serverOpts = append(serverOpts, grpc.Creds(credentials.NewTLS(serverTLS())))
					dialOpts = append(dialOpts, tlsCreds(clientTLS()))
				} else {
					dialOpts = append(dialOpts, plaintext)
				}
				serverOpts = append(serverOpts, grpc.ChainStreamInterceptor(thoughtful))
				ln := listen(t, mode)
				serve(t, ln, serverOpts...)
				cc := client(t, ln.Addr().String(), dialOpts...)
				ctx := testContext(t)
				// The timeout case is about an RPC and not about the dial.
				interop.DoEmptyUnaryCall(ctx, testgrpc.NewTestServiceClient(cc))
				clientSide.wait(t, 1)

				checked, total := 0, 1
				for _, c := range interopCases {
					c.run(ctx, cc)
					total += c.rpcs
					reports := clientSide.wait(t, total)[checked:]
					checked = total
					for _, r := range reports {
						if r.StatusErr == grpcdialer.ErrNoConnection && r.Err != nil && c.name == "timeout_on_sleeping_server" {
							continue // one millisecond may pass before a stream is made
						}
						if r.Status.State != want.client || r.StatusErr != nil || r.Side != grpcdialer.Client {
							t.Errorf("%s: client: %+v, want %v", c.name, r, want.client)
						}
						if want.client == mptcp.Fallback && r.Status.Reason != mptcp.ReasonNotAnswered {
							t.Errorf("%s: client: reason %v, want %v", c.name, r.Status.Reason, mptcp.ReasonNotAnswered)
						}
					}
				}
				// Handlers of cancelled RPCs end when they like.
				if n := len(serverSide.all()); n < total-5 {
					t.Errorf("server: %d reports of %d RPCs", n, total)
				}
				for _, r := range serverSide.all() {
					if r.Status.State != want.server || r.StatusErr != nil || r.Side != grpcdialer.Server {
						t.Errorf("server: %+v, want %v", r, want.server)
					}
				}
			})
		}
	}
}
