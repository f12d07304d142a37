package grpcdialer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// However a client's stream ends, it is reported once.
func TestStreamReportedOnce(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	serve(t, ln)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, tc testgrpc.TestServiceClient, cc *grpc.ClientConn)
		code codes.Code
		err  error // of reading the status
	}{
		{"end of stream", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			stream := open(testContext(t), t, tc)
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := stream.Recv(); err != io.EOF {
					t.Fatal(err)
				}
			}
		}, codes.OK, nil},
		{"error", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			stream := open(testContext(t), t, tc)
			request := &testpb.StreamingOutputCallRequest{ResponseStatus: &testpb.EchoStatus{Code: int32(codes.DataLoss)}}
			if err := stream.Send(request); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := stream.Recv(); err == nil {
					t.Fatal("no error")
				}
			}
		}, codes.DataLoss, nil},
		{"cancel", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			ctx, cancel := context.WithCancel(testContext(t))
			stream := open(ctx, t, tc)
			cancel()
			if _, err := stream.Recv(); err == nil {
				t.Fatal("no error")
			}
		}, codes.Canceled, nil},
		{"cancel, nobody receives", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			ctx, cancel := context.WithCancel(testContext(t))
			open(ctx, t, tc)
			cancel()
		}, codes.Canceled, nil},
		{"deadline", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
			defer cancel()
			if _, err := open(ctx, t, tc).Recv(); err == nil {
				t.Fatal("no error")
			}
		}, codes.DeadlineExceeded, nil},
		{"message too large", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			stream := open(testContext(t), t, tc, grpc.MaxCallSendMsgSize(10))
			request := &testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 100)}}
			if err := stream.Send(request); err == nil {
				t.Fatal("no error")
			}
		}, codes.ResourceExhausted, nil},
		{"ClientConn closed", func(t *testing.T, tc testgrpc.TestServiceClient, cc *grpc.ClientConn) {
			stream := open(testContext(t), t, tc)
			cc.Close()
			if _, err := stream.Recv(); err == nil {
				t.Fatal("no error")
			}
		}, codes.Canceled, net.ErrClosed},
		{"closed before", func(t *testing.T, tc testgrpc.TestServiceClient, cc *grpc.ClientConn) {
			cc.Close()
			if _, err := tc.FullDuplexCall(testContext(t)); err == nil {
				t.Fatal("no error")
			}
		}, codes.Canceled, grpcdialer.ErrNoConnection},
		{"bad option", func(t *testing.T, tc testgrpc.TestServiceClient, _ *grpc.ClientConn) {
			if _, err := tc.FullDuplexCall(testContext(t), grpc.CallContentSubtype("no such codec")); err == nil {
				t.Fatal("no error")
			}
		}, codes.Internal, grpcdialer.ErrNoConnection},
	} {
		t.Run(c.name, func(t *testing.T) {
			reports := new(recorder)
			cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext)...)
			c.end(t, testgrpc.NewTestServiceClient(cc), cc)
			r := reports.wait(t, 1)[0]
			if status.Code(r.Err) != c.code || !r.Stream || r.Method != "/grpc.testing.TestService/FullDuplexCall" || r.Duration <= 0 {
				t.Errorf("%+v, want code %v", r, c.code)
			}
			closing := c.err == net.ErrClosed // the stream may end before the connection or after it
			if !errors.Is(r.StatusErr, c.err) && !(closing && r.StatusErr == nil) {
				t.Errorf("status error %v, want %v", r.StatusErr, c.err)
			}
			if c.err == nil && (r.Status.State != mptcp.Multipath || r.LocalAddr == nil) {
				t.Errorf("status %v of %v, want multipath", r.Status, r.LocalAddr)
			}
		})
	}
}

func open(ctx context.Context, t *testing.T, tc testgrpc.TestServiceClient, opts ...grpc.CallOption) testgrpc.TestService_FullDuplexCallClient {
	t.Helper()
	stream, err := tc.FullDuplexCall(ctx, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// An interceptor between ours and gRPC may fail before gRPC learns of the RPC.
func TestInnerInterceptorFails(t *testing.T) {
	checkLeaks(t)
	reports := new(recorder)
	refused := errors.New("refused")
	cc := client(t, "passthrough:nowhere", append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext,
		grpc.WithChainUnaryInterceptor(func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
			return refused
		}),
		grpc.WithChainStreamInterceptor(func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption) (grpc.ClientStream, error) {
			return nil, refused
		}))...)
	tc := testgrpc.NewTestServiceClient(cc)
	if _, err := tc.EmptyCall(testContext(t), new(testpb.Empty)); err != refused {
		t.Error(err)
	}
	if _, err := tc.FullDuplexCall(testContext(t)); err != refused {
		t.Error(err)
	}
	for _, r := range reports.wait(t, 2) {
		if r.Err != refused || r.StatusErr != grpcdialer.ErrNoConnection {
			t.Errorf("%+v", r)
		}
	}
}

// What asks gRPC for the peer is used once: an interceptor may have it written to, and
// begin another attempt with it, when the RPC has long been reported, and other reports do
// not change.
func TestPeerOptionUsedOnce(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	serve(t, ln)
	reports := new(recorder)
	kept := make(map[*peer.Peer]bool)
	var late []func() error
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext,
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			for p := range kept {
				*p = peer.Peer{Addr: new(net.TCPAddr), LocalAddr: new(net.TCPAddr)} // of an attempt that nobody waits for
			}
			for _, o := range opts {
				if o, ok := o.(grpc.PeerCallOption); ok {
					kept[o.PeerAddr] = true
				}
			}
			late = append(late, func() error { return invoker(ctx, method, req, new(testpb.Empty), cc, opts...) })
			return invoker(ctx, method, req, reply, cc, opts...)
		}))...)
	tc := testgrpc.NewTestServiceClient(cc)
	const n = 100
	for range n {
		if _, err := tc.EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) != n {
		t.Errorf("%d RPCs used %d", n, len(kept))
	}
	for _, attempt := range late {
		if err := attempt(); err != nil {
			t.Error(err)
		}
	}
	all := reports.wait(t, n)
	for _, r := range all {
		if r.LocalAddr != all[0].LocalAddr || r.StatusErr != nil || r.Status.State != mptcp.Multipath {
			t.Fatalf("%+v", r)
		}
	}
}

// nopStats is a stats handler that stands for those of others.
type nopStats struct{ stats.Handler }

func (nopStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (nopStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (nopStats) HandleRPC(context.Context, stats.RPCStats)                         {}
func (nopStats) HandleConn(context.Context, stats.ConnStats)                       {}

// Two reporters, two status options, the caller's own peer option, a stats
// handler and the trailer, all at once.
func TestTogether(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	first, second, server := new(recorder), new(recorder), new(recorder)
	ln := listen(t, transport.Prefer)
	serve(t, ln, append(grpcdialer.ServerOptions(grpcdialer.WithReporter(server.report), grpcdialer.WithTrailer()), grpc.StatsHandler(nopStats{}))...)
	cc := client(t, ln.Addr().String(), append(
		grpcdialer.DialOptions(grpcdialer.WithReporter(first.report), grpcdialer.WithReporter(nil), grpcdialer.WithReporter(second.report)),
		plaintext, grpc.WithStatsHandler(nopStats{}))...)
	tc := testgrpc.NewTestServiceClient(cc)

	var a, b, streamed mptcp.Status
	var p peer.Peer
	var trailer metadata.MD
	_, err := tc.EmptyCall(testContext(t), new(testpb.Empty),
		grpcdialer.Status(&a), grpc.Peer(&p), grpcdialer.Status(&b), grpc.Trailer(&trailer))
	if err != nil {
		t.Fatal(err)
	}
	if a.State != mptcp.Multipath || b.State != mptcp.Multipath || a.Token == 0 || a.Token != b.Token {
		t.Errorf("status options: %v and %v", a, b)
	}
	if s, ok := grpcdialer.FromTrailer(trailer); !ok || s.State != mptcp.Multipath || !s.Confirmed {
		t.Errorf("the server saw %v, %v (%v)", s, ok, trailer)
	}
	stream := open(testContext(t), t, tc, grpcdialer.Status(&streamed))
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Fatal(err)
	}
	if streamed.State != mptcp.Multipath {
		t.Errorf("status option of a stream: %v", streamed)
	}
	if s, ok := grpcdialer.FromTrailer(stream.Trailer()); !ok || s.State != mptcp.Multipath {
		t.Errorf("the server of a stream saw %v, %v (%v)", s, ok, stream.Trailer())
	}
	for _, r := range []*recorder{first, second, server} {
		reports := r.wait(t, 2)
		if reports[0].Stream || !reports[1].Stream || reports[0].Status.State != mptcp.Multipath {
			t.Errorf("%+v", reports)
		}
		if c := transport.Lookup(reports[0].LocalAddr); c == nil {
			t.Error("the reported address names no connection")
		}
	}
	if first.all()[0].LocalAddr != p.LocalAddr {
		t.Error("the caller's peer option shows another address")
	}
}

// The status of an RPC that has no connection is left zero, and the error of
// the dial comes through.
func TestNoConnection(t *testing.T) {
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	ln.Close()
	reports := new(recorder)
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext)...)
	s := mptcp.Status{State: mptcp.Multipath}
	_, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty), grpcdialer.Status(&s))
	if status.Code(err) != codes.Unavailable || s.State != mptcp.Unknown {
		t.Errorf("%v, status %v", err, s)
	}
	if r := reports.wait(t, 1)[0]; r.StatusErr != grpcdialer.ErrNoConnection || r.Err != err || r.LocalAddr != nil {
		t.Errorf("%+v", r)
	}
}
