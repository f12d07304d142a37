package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"

	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// An echo answers each message with one of the same content. It is written as
// if there were no Multipath TCP.
type echo struct {
	testgrpc.UnimplementedTestServiceServer
}

func (echo) UnaryCall(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

func (echo) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

type running struct {
	address string
	cert    tls.Certificate
	server  *grpc.Server
	done    chan error
}

// start starts a server. What is particular to Multipath TCP is the listener
// and ServerOptions; the latter are here to tell the client, and the reporter,
// what the server saw.
func start(address string, mode transport.Mode, report grpcdialer.Reporter) (*running, error) {
	cert, err := selfsigned.Generate()
	if err != nil {
		return nil, err
	}
	options := []grpcdialer.Option{
		grpcdialer.WithListenConfig(&transport.ListenConfig{Mode: mode}),
		grpcdialer.WithTrailer(), grpcdialer.WithReporter(report),
	}
	ln, err := grpcdialer.Listen("tcp", address, options...)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(append(grpcdialer.ServerOptions(options...), grpc.Creds(credentials.NewServerTLSFromCert(&cert)))...)
	s := &running{address: ln.Addr().String(), cert: cert, server: server, done: make(chan error, 1)}
	testgrpc.RegisterTestServiceServer(s.server, echo{})
	go func() { s.done <- s.server.Serve(ln) }()
	return s, nil
}

func (s *running) stop() { s.server.Stop() }

// serve serves until ctx is done and prints a line for each RPC.
func serve(ctx context.Context, stdout io.Writer, address, certFile string, mode transport.Mode) error {
	s, err := start(address, mode, func(ctx context.Context, r grpcdialer.Report) {
		from := "?"
		if p, ok := peer.FromContext(ctx); ok {
			from = p.Addr.String()
		}
		line := fmt.Sprintf("%s  %s from %s: %s", time.Now().Format(time.TimeOnly), r.Method, from, show(r.Status))
		if r.Err != nil {
			line += ": " + r.Err.Error()
		}
		fmt.Fprintln(stdout, line) // one write: RPCs end at the same time
	})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := selfsigned.Write(certFile, s.cert.Leaf); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nServing at %s. Copy %s to another machine and run there:\n", s.address, certFile)
	fmt.Fprintf(stdout, "  go run ./examples/grpc -connect THIS-HOST:%s -cert %s\n\n", port, certFile)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.done:
		return err
	}
}
