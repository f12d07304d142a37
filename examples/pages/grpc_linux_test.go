package pages

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

func dialGRPC(target string, creds credentials.TransportCredentials, logger *slog.Logger) (*grpc.ClientConn, error) {
	dialer := &transport.Dialer{OnChange: metrics.LogEnds(logger)}
	options := grpcdialer.DialOptions(
		grpcdialer.WithDialer(dialer),
		grpcdialer.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	)
	return grpc.NewClient(target, append(options, grpc.WithTransportCredentials(creds))...)
}

func requireGRPC(target string, creds credentials.TransportCredentials) (*grpc.ClientConn, error) {
	dialer := &transport.Dialer{Mode: transport.Require}
	options := grpcdialer.DialOptions(grpcdialer.WithDialer(dialer))
	return grpc.NewClient(target, append(options, grpc.WithTransportCredentials(creds))...)
}

// A grpcService is a server that can be stopped.
type grpcService struct {
	listener *transport.Listener
	server   *grpc.Server
}

func listenGRPC(address string, creds credentials.TransportCredentials) (*grpcService, error) {
	kp := keepalive.ServerParameters{Time: time.Minute, Timeout: 10 * time.Second}
	options := []grpcdialer.Option{grpcdialer.WithServerKeepaliveParams(kp)}
	listener, err := grpcdialer.Listen("tcp", address, options...)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(grpcdialer.ServerOptions(options...), grpc.Creds(creds))...)
	return &grpcService{listener.(*transport.Listener), server}, nil
}

func (s *grpcService) stop(ctx context.Context) error {
	if err := s.listener.Drain(ctx); err != nil {
		return err
	}
	s.server.GracefulStop()
	return nil
}

// An asker is a service whose handler asks.
type asker struct {
	testgrpc.UnimplementedTestServiceServer
}

func (asker) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	status, err := grpcdialer.FromContext(ctx)
	if err != nil || status.State != mptcp.Multipath {
		return nil, errors.Join(err, errors.New("the server sees "+status.String()))
	}
	return new(testpb.Empty), nil
}

func TestGRPCPage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cert, err := selfsigned.Generate()
	check(t, err)
	s, err := listenGRPC("127.0.0.1:0", credentials.NewServerTLSFromCert(&cert))
	check(t, err)
	testgrpc.RegisterTestServiceServer(s.server, asker{})
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()

	creds := credentials.NewTLS(selfsigned.Client(cert.Leaf))
	for name, dial := range map[string]func() (*grpc.ClientConn, error){
		"prefer":  func() (*grpc.ClientConn, error) { return dialGRPC(s.listener.Addr().String(), creds, slog.Default()) },
		"require": func() (*grpc.ClientConn, error) { return requireGRPC(s.listener.Addr().String(), creds) },
	} {
		conn, err := dial()
		check(t, err)
		defer conn.Close()
		var seen mptcp.Status
		_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(ctx, new(testpb.Empty), grpcdialer.Status(&seen))
		if err != nil || seen.State != mptcp.Multipath {
			t.Errorf("%s: %v, the client sees %v", name, err, seen)
		}
		conn.Close()
	}
	check(t, s.stop(ctx))
	check(t, <-served)

	ln, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(ctx, "tcp", "127.0.0.1:0")
	check(t, err)
	tcp := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	go tcp.Serve(ln)
	defer tcp.Stop()
	conn, err := requireGRPC(ln.Addr().String(), creds)
	check(t, err)
	defer conn.Close()
	if _, err := testgrpc.NewTestServiceClient(conn).EmptyCall(ctx, new(testpb.Empty)); status.Code(err) != codes.Unavailable {
		t.Errorf("a server without Multipath TCP: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
