package grpcdialer_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/soheilhy/cmux"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// A contextServer notes what its handlers find in their context.
type contextServer struct {
	testgrpc.UnimplementedTestServiceServer
	seen func(context.Context)
}

func (s contextServer) EmptyCall(ctx context.Context, _ *testpb.Empty) (*testpb.Empty, error) {
	s.seen(ctx)
	return new(testpb.Empty), nil
}

func (s contextServer) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	s.seen(stream.Context())
	for {
		if _, err := stream.Recv(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if err := stream.Send(new(testpb.StreamingOutputCallResponse)); err != nil {
			return err
		}
	}
}

// acceptor remembers the local addresses of the connections that a listener
// accepts.
type acceptor struct {
	net.Listener
	accepted chan net.Addr
}

func (a acceptor) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err == nil {
		a.accepted <- c.LocalAddr()
	}
	return c, err
}

// setups are the ways to serve gRPC. Each serves s on ln until the test ends.
var setups = []struct {
	name   string
	creds  *tls.Config // of the client
	server func() []grpc.ServerOption
	serve  func(t *testing.T, s *grpc.Server, ln net.Listener)
}{
	{name: "plain"},
	{name: "TLS", creds: clientTLS(), server: tlsServer},
	{name: "mTLS", creds: mutual(), server: func() []grpc.ServerOption {
		c := serverTLS()
		_, c.ClientCAs = certificate()
		c.ClientAuth = tls.RequireAndVerifyClientCert
		return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(c))}
	}},
	{name: "tls.NewListener", creds: clientTLS(), serve: func(t *testing.T, s *grpc.Server, ln net.Listener) {
		serveUntilEnd(t, s.Stop, func() error { return s.Serve(tls.NewListener(ln, serverTLS())) })
	}},
	{name: "ServeHTTP TLS", creds: clientTLS(), serve: func(t *testing.T, s *grpc.Server, ln net.Listener) {
		hs := &http.Server{Handler: s, TLSConfig: serverTLS(), ReadHeaderTimeout: time.Minute}
		serveUntilEnd(t, func() { hs.Close() }, func() error { return hs.ServeTLS(ln, "", "") })
	}},
	{name: "ServeHTTP h2c", serve: func(t *testing.T, s *grpc.Server, ln net.Listener) {
		hs := &http.Server{Handler: s, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
		hs.Protocols.SetUnencryptedHTTP2(true)
		serveUntilEnd(t, func() { hs.Close() }, func() error { return hs.Serve(ln) })
	}},
	{name: "cmux", serve: func(t *testing.T, s *grpc.Server, ln net.Listener) {
		mux := cmux.New(ln)
		matched := mux.MatchWithWriters(cmux.HTTP2MatchHeaderFieldSendSettings("content-type", "application/grpc"))
		serveUntilEnd(t, s.Stop, func() error { return s.Serve(matched) })
		serveUntilEnd(t, mux.Close, mux.Serve)
	}},
}

func tlsServer() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(serverTLS()))}
}

func mutual() *tls.Config {
	c := clientTLS()
	c.Certificates = serverTLS().Certificates
	return c
}

func serveUntilEnd(t *testing.T, stop func(), serve func() error) {
	done := make(chan struct{})
	go func() { defer close(done); _ = serve() }()
	t.Cleanup(func() { stop(); <-done })
}

func TestFromContext(t *testing.T) {
	needMultipath(t)
	for _, setup := range setups {
		t.Run(setup.name, func(t *testing.T) {
			checkLeaks(t)
			var serverOpts []grpc.ServerOption
			if setup.server != nil {
				serverOpts = setup.server()
			}
			type answer struct {
				status mptcp.Status
				err    error
				peer   *peer.Peer
			}
			answers := make(chan answer, 2)
			s := grpc.NewServer(serverOpts...)
			testgrpc.RegisterTestServiceServer(s, contextServer{seen: func(ctx context.Context) {
				status, err := grpcdialer.FromContext(ctx)
				p, _ := peer.FromContext(ctx)
				answers <- answer{status, err, p}
			}})
			ln := acceptor{listen(t, transport.Prefer), make(chan net.Addr, 1)}
			if setup.serve == nil {
				serveUntilEnd(t, s.Stop, func() error { return s.Serve(ln) })
			} else {
				setup.serve(t, s, ln)
			}

			dialed := make(chan net.Addr, 1)
			dial := grpcdialer.New(nil)
			opts := []grpc.DialOption{plaintext, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				c, err := dial(ctx, address)
				if err == nil {
					dialed <- c.LocalAddr()
				}
				return c, err
			})}
			if setup.creds != nil {
				opts[0] = tlsCreds(setup.creds)
			}
			tc := testgrpc.NewTestServiceClient(client(t, ln.Addr().String(), opts...))
			ctx := testContext(t)

			var unary, streaming peer.Peer
			if _, err := tc.EmptyCall(ctx, new(testpb.Empty), grpc.Peer(&unary)); err != nil {
				t.Fatal(err)
			}
			stream, err := tc.FullDuplexCall(ctx, grpc.Peer(&streaming))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err != io.EOF {
				t.Fatalf("stream ended with %v", err)
			}

			// Go does not promise that these addresses are identical, and the
			// table lives on it.
			local, remote := <-dialed, <-ln.accepted
			if unary.LocalAddr != local || streaming.LocalAddr != local {
				t.Error("client: the peer's local address is not the one that the connection returned")
			}
			for range 2 {
				a := <-answers
				if a.err != nil || a.status.State != mptcp.Multipath || !a.status.Confirmed {
					t.Errorf("FromContext: %v, confirmed %v, %v; want a confirmed multipath", a.status, a.status.Confirmed, a.err)
				}
				if a.peer.LocalAddr != remote {
					t.Error("server: the peer's local address is not the one that the connection returned")
				}
				if _, ok := a.peer.AuthInfo.(credentials.TLSInfo); setup.creds != nil && !ok && setup.name != "tls.NewListener" {
					t.Errorf("AuthInfo is a %T", a.peer.AuthInfo)
				}
			}
		})
	}
}

// Connections that have nothing to tell give errors that say so.
func TestFromContextErrors(t *testing.T) {
	checkLeaks(t)
	if _, err := grpcdialer.FromContext(context.Background()); err != grpcdialer.ErrNoConnection {
		t.Errorf("without a peer: %v", err)
	}
	foreign, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := transport.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	memory := bufconn.Listen(1 << 16)
	for _, c := range []struct {
		name, target string
		ln           net.Listener
		want         error
		opts         []grpc.DialOption
	}{
		{"a foreign listener", foreign.Addr().String(), foreign, mptcp.ErrUntracked, nil},
		{"a Unix socket", "unix:" + socket.Addr().String(), socket, mptcp.ErrNotTCP, nil},
		{"bufconn", "passthrough:memory", memory, mptcp.ErrNotTCP, []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }),
		}},
	} {
		var got error
		serveService(t, c.ln, contextServer{seen: func(ctx context.Context) { _, got = grpcdialer.FromContext(ctx) }})
		cc := client(t, c.target, append(append(grpcdialer.DialOptions(), plaintext), c.opts...)...)
		if _, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// perAttempt asks for the status of each attempt, before its headers are sent.
type perAttempt struct{ seen func(mptcp.Status, error) }

func (p perAttempt) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	p.seen(grpcdialer.FromContext(ctx))
	return nil, nil
}

func (perAttempt) RequireTransportSecurity() bool { return false }

// FromContext works on a client too, where gRPC shows the peer.
func TestFromContextOnClient(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	serve(t, ln)
	var early mptcp.Status
	var earlyErr error
	cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(), plaintext,
		grpc.WithPerRPCCredentials(perAttempt{func(s mptcp.Status, err error) { early, earlyErr = s, err }}))...)
	stream := open(testContext(t), t, testgrpc.NewTestServiceClient(cc))
	if earlyErr != nil || early.State != mptcp.Multipath {
		t.Errorf("in GetRequestMetadata: %v, %v", early, earlyErr)
	}
	if s, err := grpcdialer.FromContext(stream.Context()); err != nil || s.State != mptcp.Multipath {
		t.Errorf("in a stream: %v, %v", s, err)
	}
}
