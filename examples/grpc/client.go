package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// An observation is what the two ends of one RPC saw.
type observation struct {
	client   mptcp.Status
	server   mptcp.Status
	answered bool // the server told
}

// call does a unary and a streaming RPC and prints what both ends saw of each.
func call(ctx context.Context, stdout io.Writer, address string, trusted *x509.Certificate, mode transport.Mode) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(address, append(
		grpcdialer.DialOptions(grpcdialer.WithDialer(&transport.Dialer{Mode: mode})),
		grpc.WithTransportCredentials(credentials.NewTLS(selfsigned.Client(trusted))))...)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := testgrpc.NewTestServiceClient(conn)

	fmt.Fprintf(stdout, "  %-8s%-28s%s\n", "RPC", "the client saw", "the server saw")
	var last observation
	for _, rpc := range []struct {
		name string
		do   func(context.Context, testgrpc.TestServiceClient) (observation, error)
	}{{"unary", unary}, {"stream", stream}} {
		seen, err := rpc.do(ctx, client)
		if err != nil {
			return fmt.Errorf("%s RPC: %w", rpc.name, err)
		}
		server := "(it did not say)"
		if seen.answered {
			server = show(seen.server)
		}
		fmt.Fprintf(stdout, "  %-8s%-28s%s\n", rpc.name, show(seen.client), server)
		last = seen
	}
	if last.client.State != mptcp.Multipath {
		fmt.Fprintf(stdout, "  Why: %s\n", last.client.Reason.Explain())
	}
	return nil
}

func unary(ctx context.Context, client testgrpc.TestServiceClient) (o observation, err error) {
	var trailer metadata.MD
	_, err = client.UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload()},
		grpcdialer.Status(&o.client), grpc.Trailer(&trailer))
	o.server, o.answered = grpcdialer.FromTrailer(trailer)
	return o, err
}

func stream(ctx context.Context, client testgrpc.TestServiceClient) (o observation, err error) {
	s, err := client.FullDuplexCall(ctx, grpcdialer.Status(&o.client))
	if err != nil {
		return o, err
	}
	for range 3 {
		if err := s.Send(&testpb.StreamingOutputCallRequest{Payload: payload()}); err != nil && err != io.EOF {
			return o, err
		}
		if _, err := s.Recv(); err != nil {
			return o, err
		}
	}
	if err := s.CloseSend(); err != nil {
		return o, err
	}
	if _, err := s.Recv(); err != io.EOF {
		return o, err
	}
	o.server, o.answered = grpcdialer.FromTrailer(s.Trailer())
	return o, nil
}

func payload() *testpb.Payload { return &testpb.Payload{Body: []byte("hello")} }

// show returns a status in a few words, with the number of paths if there are
// several.
func show(s mptcp.Status) string {
	if n, ok := s.Subflows(); ok && n > 1 {
		return fmt.Sprintf("%v, %d subflows", s, n)
	}
	return s.String()
}
