package main

import (
	"context"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// windows says which flow-control windows TCP and package net have. This module
// has what DialOptions and ServerOptions set.
type windows bool

const (
	grpcWindows windows = false // those that gRPC estimates
	sameWindows windows = true  // as large as this module's
)

// A pair is a gRPC client and its server, on one connection.
type pair struct {
	client testgrpc.TestServiceClient
	conn   atomic.Pointer[net.TCPConn] // of the client
}

// connect makes a pair of the given stack, which lives as long as l. Of this
// module it has what a user gets from DialOptions and ServerOptions.
func connect(l *lab, n network, stack string, w windows, service testgrpc.TestServiceServer, more ...grpc.DialOption) *pair {
	return dial(l, n, stack, w, serve(l, n, stack, w, service), more...)
}

// options are those of grpcdialer.
func (n network) options(stack string) (dialer *transport.Dialer, options []grpcdialer.Option) {
	dialer = &transport.Dialer{NetDialer: n.netDialer(), Memory: new(transport.Memory)}
	options = append(options, grpcdialer.WithDialer(dialer))
	if stack == reported {
		options = append(options, grpcdialer.WithReporter(count))
	}
	return dialer, options
}

// windowSize is that of this module.
const windowSize = 16 << 20

// serve starts a server and returns its address.
func serve(l *lab, n network, stack string, w windows, service testgrpc.TestServiceServer) string {
	var options []grpc.ServerOption
	switch {
	case isOurs(stack):
		_, ours := n.options(stack)
		options = grpcdialer.ServerOptions(ours...)
	case w == sameWindows:
		options = append(options, grpc.InitialWindowSize(windowSize), grpc.InitialConnWindowSize(windowSize))
	}
	ln, address := n.listen(l, stack)
	server := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(server, service)
	go server.Serve(ln)
	l.Cleanup(server.Stop)
	return address
}

// dial makes a client, and waits for its connection.
func dial(l *lab, n network, stack string, w windows, address string, more ...grpc.DialOption) *pair {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	next := n.dialer(stack)
	connect := func(ctx context.Context, address string) (net.Conn, error) { return next(ctx, "tcp", address) }
	switch {
	case isOurs(stack):
		dialer, ours := n.options(stack)
		connect = grpcdialer.New(dialer)
		options = append(options, grpcdialer.DialOptions(ours...)...)
	case w == sameWindows:
		options = append(options, grpc.WithInitialWindowSize(windowSize), grpc.WithInitialConnWindowSize(windowSize))
	}
	p := new(pair)
	options = append(options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		c, err := connect(ctx, address)
		if c, ok := c.(*net.TCPConn); ok {
			p.conn.Store(c)
		}
		return c, err
	}))
	cc, err := grpc.NewClient("passthrough:///"+address, append(options, more...)...)
	l.check(err)
	l.Cleanup(func() { cc.Close() })
	p.client = testgrpc.NewTestServiceClient(cc)
	_, err = p.client.EmptyCall(l, new(testpb.Empty), grpc.WaitForReady(true))
	l.check(err)
	return p
}

// others is how many RPCs reporters were told of that went well without Multipath TCP.
var others atomic.Int64

// count is what a reporter does at least. What is counted for each RPC costs what
// the counter does. An RPC that fails ends with its connection here, of which there is
// nothing to tell then.
func count(_ context.Context, r grpcdialer.Report) {
	if r.Status.State != mptcp.Multipath && r.Err == nil {
		others.Add(1)
	}
}

// told ends the turn if a reporter was told of something else: what is measured is
// then not what the table says.
func (l *lab) told() {
	if n := others.Swap(0); n > 0 {
		l.Fatalf("%d reports of what did not use Multipath TCP", n)
	}
}

// pairs has f measure a pair on loopback of each stack, TCP and package net with the
// windows w. Each turn has a new one: what one happens to be like, by where the
// scheduler and the allocator have put it, makes a tenth of its speed and more, and
// says nothing of the stack.
func pairs(w windows, f func(*lab, *pair) []float64) func(*lab) []way {
	return func(*lab) (ways []way) {
		for _, stack := range []string{tcp, std, ours, reported} {
			ways = append(ways, way{stack, func(l *lab) []float64 {
				return f(l, connect(l, loopback, stack, w, service{}))
			}})
		}
		return ways
	}
}

// service is the server's side of everything that is measured.
type service struct {
	testgrpc.UnimplementedTestServiceServer
}

func (service) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	return new(testpb.Empty), nil
}

func (service) UnaryCall(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

// StreamingOutputCall sends messages as fast as they go.
func (service) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	m := &testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, messageSize)}}
	for {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
}
