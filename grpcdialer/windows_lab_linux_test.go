package grpcdialer_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// bulk is a server that sends without end, and counts what it receives.
type bulk struct {
	testgrpc.UnimplementedTestServiceServer
	received atomic.Int64
}

func (*bulk) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
	m := &testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, 32<<10)}}
	for {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
}

func (b *bulk) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		b.received.Add(int64(len(m.GetPayload().GetBody())))
	}
}

// Much more is on its way to somebody who does not read than the 64 KiB with
// which gRPC begins: the windows are those of the options, at both ends.
func TestWindows(t *testing.T) {
	const size, messages = 64 << 10, 128 // half of the windows
	sent := make(chan struct{})
	server := unread{sent: sent, block: make(chan struct{})}
	ln := listen(t, transport.Prefer)
	serveService(t, ln, server, grpcdialer.ServerOptions()...)
	t.Cleanup(func() { close(server.block) })
	tc := testgrpc.NewTestServiceClient(client(t, ln.Addr().String(), append(grpcdialer.DialOptions(), plaintext)...))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	if _, err := tc.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{ResponseParameters: make([]*testpb.ResponseParameters, messages)}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-sent:
	case <-ctx.Done():
		t.Error("to the client: the server cannot send 8 MiB")
	}
	up, err := tc.StreamingInputCall(ctx)
	for range messages {
		if err == nil {
			err = up.Send(&testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, size)}})
		}
	}
	if err != nil {
		t.Errorf("to the server: the client cannot send 8 MiB: %v", err)
	}
}

// unread is a server that does not read, and sends as many messages as it is
// asked for.
type unread struct {
	testgrpc.UnimplementedTestServiceServer
	sent  chan<- struct{}
	block chan struct{}
}

func (u unread) StreamingOutputCall(in *testpb.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
	for range in.ResponseParameters {
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, 64<<10)}}); err != nil {
			return err
		}
	}
	close(u.sent)
	return nil
}

func (u unread) StreamingInputCall(testgrpc.TestService_StreamingInputCallServer) error {
	<-u.block
	return nil
}

// A stream with nothing but the default options fills two paths, also where one
// of them takes twelve times as long as the other: with the windows that gRPC
// would choose by itself, the slow one stays almost empty.
func TestStreamFillsBothPaths(t *testing.T) {
	const (
		rate = 20 * mptcptest.Mbit
		want = rate * 5 / 4 // of one path; a busy machine has let pass 1.45
	)
	for _, direction := range []string{"to the client", "to the server"} {
		t.Run(direction, func(t *testing.T) {
			t.Parallel()
			lab := mptcptest.New(t)
			phone, server := lab.Host("phone"), lab.Host("server")
			near := lab.Link(phone, server, mptcptest.LinkConfig{Rate: rate, Delay: 5 * time.Millisecond})
			far := lab.Link(phone, server, mptcptest.LinkConfig{Rate: rate, Delay: 60 * time.Millisecond})
			phone.SetLimits(2, 2)
			server.SetLimits(2, 2)
			phone.AddEndpoint(far.Addr(phone), mptcptest.Subflow)

			lc := transport.ListenConfig{NetListenConfig: server.ListenConfig()}
			ln, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(near.Addr(server), 0).String())
			if err != nil {
				t.Fatal(err)
			}
			b := new(bulk)
			serveService(t, ln, b, grpcdialer.ServerOptions()...)
			cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(
				grpcdialer.WithDialer(&transport.Dialer{NetDialer: phone.Dialer(), Memory: new(transport.Memory)})), plaintext)...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				if err := flow(ctx, testgrpc.NewTestServiceClient(cc), direction == "to the client", &b.received); ctx.Err() == nil {
					t.Error(err)
					cancel()
				}
			}()

			// Slow start takes its time, and a busy machine more: the stream
			// has to be so fast for two seconds out of twenty. For one of them
			// it may be without the windows, while queues fill.
			var best mptcptest.Rate
			for range 10 {
				before, start := b.received.Load(), time.Now()
				time.Sleep(2 * time.Second)
				got := mptcptest.Rate(float64(b.received.Load()-before) * 8 / time.Since(start).Seconds())
				if best = max(best, got); best > want || ctx.Err() != nil {
					break
				}
			}
			t.Logf("%v over two paths of %v", best, rate)
			if best <= want {
				t.Errorf("at most %v over two paths of %v each, want more than %v", best, rate, want)
			}
		})
	}
}

// flow sends or receives until ctx is done. What is received is counted.
func flow(ctx context.Context, client testgrpc.TestServiceClient, down bool, received *atomic.Int64) error {
	if !down {
		stream, err := client.StreamingInputCall(ctx, grpc.WaitForReady(true))
		m := &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 32<<10)}}
		for err == nil {
			err = stream.Send(m)
		}
		return err
	}
	stream, err := client.StreamingOutputCall(ctx, new(testpb.StreamingOutputCallRequest), grpc.WaitForReady(true))
	for err == nil {
		var m *testpb.StreamingOutputCallResponse
		if m, err = stream.Recv(); err == nil {
			received.Add(int64(len(m.GetPayload().GetBody())))
		}
	}
	return err
}
