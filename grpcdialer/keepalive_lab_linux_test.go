package grpcdialer_test

import (
	"context"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestListen: the bound that gRPC gives its servers by default is that of the
// listener, if nothing else is said.
func TestListen(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []grpcdialer.Option
		want time.Duration
	}{
		{"default", nil, 20 * time.Second},
		{"configured", []grpcdialer.Option{
			grpcdialer.WithListenConfig(&transport.ListenConfig{UserTimeout: 30 * time.Second}),
		}, 30 * time.Second},
		{"keep-alive", []grpcdialer.Option{
			grpcdialer.WithListenConfig(&transport.ListenConfig{UserTimeout: 30 * time.Second}),
			grpcdialer.WithServerKeepaliveParams(keepalive.ServerParameters{Timeout: 40 * time.Second}),
		}, 40 * time.Second},
		{"no keep-alive", []grpcdialer.Option{
			grpcdialer.WithServerKeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}),
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := grpcdialer.Listen("tcp", "127.0.0.1:0", tt.opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			if st := ln.(*transport.Listener).Status(); st.State != mptcp.Multipath {
				t.Errorf("the listener is %v", st)
			}
			c, err := net.Dial("tcp", ln.Addr().String()) // by TCP, which shows it
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			srv, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			// The kernel is always a little late, so a little less is asked for.
			got := time.Duration(sockopt(t, srv, tcpUserTimeout)) * time.Millisecond
			if got > tt.want || got < tt.want-tt.want/50 {
				t.Errorf("TCP_USER_TIMEOUT is %v, want %v", got, tt.want)
			}
		})
	}
}

// TestKeepaliveBoundsUnacknowledged: with data under way when the only path
// dies, both ends of a stream end after the timeout of gRPC's keep-alive, long
// before a ping is due, whatever carries the stream.
func TestKeepaliveBoundsUnacknowledged(t *testing.T) {
	const timeout = 3 * time.Second
	for _, tt := range []struct {
		name           string
		client, server transport.Mode
		strip          bool
		want           mptcp.State
	}{
		{name: "multipath", client: transport.Require, want: mptcp.Multipath},
		{name: "fallback", server: transport.Off, want: mptcp.Fallback},
		{name: "mid-stream fallback", strip: true, want: mptcp.Fallback},
		{name: "TCP", client: transport.Off, want: mptcp.TCP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A busy machine may be late, never early.
			for try := 1; ; try++ {
				client, server := boundUnacknowledged(t, timeout, tt.client, tt.server, tt.strip, tt.want)
				t.Logf("the client's end after %v, the server's after %v", client, server)
				if least := timeout - timeout/10; client < least || server < least {
					t.Fatalf("ended after %v and %v, want %v", client, server, timeout)
				}
				if most := timeout + timeout/10; client <= most && server <= most {
					return
				}
				if try == 3 {
					t.Fatalf("ended after %v and %v, want %v + 10 %%", client, server, timeout)
				}
			}
		})
	}
}

// boundUnacknowledged has a stream run over the only path, which dies, and
// returns how long after that the two ends of the stream end.
func boundUnacknowledged(t *testing.T, timeout time.Duration, clientMode, serverMode transport.Mode, strip bool, want mptcp.State) (atClient, atServer time.Duration) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	link := lab.Link(phone, server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	options := []grpcdialer.Option{
		grpcdialer.WithListenConfig(&transport.ListenConfig{NetListenConfig: server.ListenConfig(), Mode: serverMode}),
		grpcdialer.WithServerKeepaliveParams(keepalive.ServerParameters{Timeout: timeout}),
	}
	ln, err := grpcdialer.Listen("tcp", netip.AddrPortFrom(link.Addr(server), 0).String(), options...)
	if err != nil {
		t.Fatal(err)
	}
	s := &endlessServer{ended: make(chan time.Time, 1)}
	serveService(t, ln, s, grpcdialer.ServerOptions(options...)...)
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(
		grpcdialer.WithDialer(&transport.Dialer{NetDialer: phone.Dialer(), Memory: new(transport.Memory), Mode: clientMode}),
		grpcdialer.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: timeout}),
	), plaintext)...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(cc).FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	request := &testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 1000)}}
	if strip {
		link.Inject(mptcptest.StripMPTCP(mptcptest.Always))
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if st, err := grpcdialer.FromContext(stream.Context()); err != nil || st.State != want {
		t.Errorf("the stream runs over %v, %v", st, err)
	}
	link.Inject(mptcptest.DropAll())
	start := time.Now()
	if err := stream.Send(request); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	atClient = time.Since(start)
	if status.Code(err) != codes.Unavailable {
		t.Errorf("client: %v", err)
	}
	select {
	case at := <-s.ended:
		atServer = at.Sub(start)
	case <-time.After(20 * time.Second):
		t.Fatal("server: the handler has not ended")
	}
	return atClient, atServer
}

// An endlessServer sends until it cannot.
type endlessServer struct {
	testgrpc.UnimplementedTestServiceServer
	ended chan time.Time
}

func (s *endlessServer) FullDuplexCall(stream grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stream.Context().Done():
			s.ended <- time.Now()
			return nil
		case <-ticker.C:
			if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, 10)}}); err != nil {
				s.ended <- time.Now()
				return err
			}
		}
	}
}
