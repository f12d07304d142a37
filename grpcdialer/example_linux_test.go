package grpcdialer_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// A greeter is a service as anyone may have one.
type greeter struct {
	testgrpc.UnimplementedTestServiceServer
}

func (greeter) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	status, err := grpcdialer.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Println("server:", status)
	return new(testpb.Empty), nil
}

func startGreeter(mode transport.Mode, opts ...grpc.ServerOption) (*grpc.Server, string) {
	lc := transport.ListenConfig{Mode: mode}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	testgrpc.RegisterTestServiceServer(s, greeter{})
	go s.Serve(ln)
	return s, ln.Addr().String()
}

var noTLS = grpc.WithTransportCredentials(insecure.NewCredentials())

// One line on each side, and each can ask what carries an RPC.
func Example() {
	ln, err := grpcdialer.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpcdialer.ServerOptions()...)
	testgrpc.RegisterTestServiceServer(server, greeter{}) // its handler calls FromContext
	go server.Serve(ln)
	defer server.Stop()

	conn, err := grpc.NewClient(ln.Addr().String(), append(grpcdialer.DialOptions(), noTLS)...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var status mptcp.Status
	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty), grpcdialer.Status(&status))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("client:", status)
	// Output:
	// server: multipath
	// client: multipath
}

// A reporter is told about each RPC, here that its server speaks only TCP.
func ExampleWithReporter() {
	server, address := startGreeter(transport.Off)
	defer server.Stop()
	report := func(_ context.Context, r grpcdialer.Report) {
		fmt.Println(r.Side, r.Method, r.Err, r.Status)
		fmt.Println(r.Status.Reason.Explain())
	}
	conn, err := grpc.NewClient(address, append(grpcdialer.DialOptions(grpcdialer.WithReporter(report)), noTLS)...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// server: tcp (not-requested)
	// client /grpc.testing.TestService/EmptyCall <nil> fallback (not-answered)
	// The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option.
}

// A server made with WithTrailer tells its clients what it saw.
func ExampleFromTrailer() {
	server, address := startGreeter(transport.Prefer, grpcdialer.ServerOptions(grpcdialer.WithTrailer())...)
	defer server.Stop()
	// This client does not use Multipath TCP.
	conn, err := grpc.NewClient(address, noTLS)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	var trailer metadata.MD
	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty), grpc.Trailer(&trailer))
	if err != nil {
		log.Fatal(err)
	}
	seen, ok := grpcdialer.FromTrailer(trailer)
	fmt.Println("the server saw", seen, ok)
	// Output:
	// server: tcp (not-offered)
	// the server saw tcp (not-offered) true
}

// With a dialer of one's own, TCP can be ruled out.
func ExampleWithDialer() {
	server, address := startGreeter(transport.Off)
	defer server.Stop()
	dialer := &transport.Dialer{Mode: transport.Require}
	conn, err := grpc.NewClient(address, append(grpcdialer.DialOptions(grpcdialer.WithDialer(dialer)), noTLS)...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty))
	fmt.Println(status.Code(err))
	// Output: Unavailable
}

// A resolver may ask for Multipath TCP at one address only.
func ExampleWithMode() {
	server, address := startGreeter(transport.Prefer)
	defer server.Stop()
	r := manual.NewBuilderWithScheme("servers")
	r.InitialState(resolver.State{Addresses: []resolver.Address{
		grpcdialer.WithMode(resolver.Address{Addr: address}, transport.Off),
	}})
	conn, err := grpc.NewClient("servers:///", append(grpcdialer.DialOptions(), noTLS, grpc.WithResolvers(r))...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty)); err != nil {
		log.Fatal(err)
	}
	// Output: server: tcp (not-offered)
}

// New is for those who set grpc.WithContextDialer themselves.
func ExampleNew() {
	server, address := startGreeter(transport.Prefer)
	defer server.Stop()
	dial := grpcdialer.New(nil)
	conn, err := grpc.NewClient("passthrough:greeter", noTLS, grpc.WithContextDialer(func(ctx context.Context, name string) (net.Conn, error) {
		fmt.Println("dialing", name)
		return dial(ctx, address)
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if _, err := testgrpc.NewTestServiceClient(conn).EmptyCall(context.Background(), new(testpb.Empty)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// dialing greeter
	// server: multipath
}
