package hostile

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

// A victim is a host with servers of gRPC, of HTTP/1.1 and HTTP/2 without TLS,
// and of both with TLS, which look at the status of each call, and whose
// connections are watched.
type victim struct {
	t                 testing.TB
	host              *mptcptest.Host // nil: this process's
	grpc, http, https netip.AddrPort
	roots             *x509.CertPool
	dialer            *net.Dialer // of those who behave

	listeners []*counting

	calls atomic.Int64 // that began
	stuck atomic.Int64 // calls that took longer than half a second: somebody kept them
}

// keep counts a call that takes long. It is to be deferred.
func (v *victim) keep(begin time.Time) {
	if time.Since(begin) > 500*time.Millisecond {
		v.stuck.Add(1)
	}
}

const chunk = 64 << 10

type service struct {
	testgrpc.UnimplementedTestServiceServer
	v *victim
}

func (s service) UnaryCall(ctx context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	s.v.calls.Add(1)
	if _, err := grpcdialer.FromContext(ctx); err != nil {
		return nil, err
	}
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
}

// StreamingInputCall reads nothing, for as long as the client stays.
func (s service) StreamingInputCall(stream grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]) error {
	s.v.calls.Add(1)
	defer s.v.keep(time.Now())
	<-stream.Context().Done()
	return stream.Context().Err()
}

// StreamingOutputCall sends much more than any buffer holds.
func (s service) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	s.v.calls.Add(1)
	defer s.v.keep(time.Now())
	m := &testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: make([]byte, chunk)}}
	for range much / chunk {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// much is more than what sockets and flow control keep for one who does not
// read.
const much = 256 << 20

// handler is the HTTP server's.
func (v *victim) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s, err := httptransport.FromRequest(r)
		fmt.Fprint(w, s, err)
	})
	mux.HandleFunc("/much", func(w http.ResponseWriter, _ *http.Request) {
		defer v.keep(time.Now())
		b := make([]byte, chunk)
		for range much / chunk {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/deaf", func(_ http.ResponseWriter, r *http.Request) {
		defer v.keep(time.Now())
		select { // HTTP/1.1 notices only by reading that nobody is there
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
	})
	return httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.calls.Add(1)
		mux.ServeHTTP(w, r)
	}), nil)
}

// A counting listener knows how its Accepts ended.
type counting struct {
	net.Listener
	name     string
	accepted atomic.Int64
	full     atomic.Int64 // the process could open no more files
}

// Accept is the listener's.
func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	switch {
	case err == nil:
		l.accepted.Add(1)
	case isFull(err):
		l.full.Add(1)
	}
	return c, err
}

// serve starts the servers. A nil host is this process's.
func serve(t testing.TB, host *mptcptest.Host, dialer *net.Dialer, at netip.Addr) *victim {
	t.Helper()
	v := &victim{t: t, host: host, dialer: dialer}
	v.forget(5 * time.Second)
	lc := transport.ListenConfig{
		Mode: transport.Require, UserTimeout: 5 * time.Second,
		OnChange: func(*transport.Connection, mptcp.Status, mptcp.Status) {},
	}
	if host != nil {
		lc.NetListenConfig = host.ListenConfig()
	}
	open := func(name string) (net.Listener, netip.AddrPort) {
		ln, err := lc.Listen(t.Context(), "tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		l := &counting{Listener: ln, name: name}
		v.listeners = append(v.listeners, l)
		return l, netip.AddrPortFrom(at, netip.MustParseAddrPort(ln.Addr().String()).Port())
	}
	ln, address := open("gRPC")
	v.grpc = address
	g := grpc.NewServer(append(grpcdialer.ServerOptions(grpcdialer.WithTrailer()), grpc.ConnectionTimeout(patience))...)
	testgrpc.RegisterTestServiceServer(g, service{v: v})
	go g.Serve(ln)
	t.Cleanup(g.Stop)

	start := func(name string) (*httptest.Server, netip.AddrPort) {
		ln, address := open(name)
		config := &http.Server{
			Handler: v.handler(), ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols),
			ReadHeaderTimeout: patience, // of the TLS handshake too; the clients leave before
		}
		config.Protocols.SetHTTP1(true)
		config.Protocols.SetHTTP2(true)
		config.Protocols.SetUnencryptedHTTP2(true)
		s := &httptest.Server{Listener: ln, Config: config, EnableHTTP2: true}
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
		return s, address
	}
	var plain, secure *httptest.Server
	plain, v.http = start("HTTP")
	plain.Start()
	secure, v.https = start("HTTPS")
	secure.StartTLS()
	v.roots = x509.NewCertPool()
	v.roots.AddCert(secure.Certificate())
	return v
}

// forget sets how long the kernel keeps an end that a program has closed while
// the other end still has something to send: by itself a minute.
func (v *victim) forget(after time.Duration) {
	set := func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fin_timeout", fmt.Append(nil, after.Seconds()), 0); err != nil {
			v.t.Error(err)
		}
	}
	if v.host == nil { // the laboratory's own network
		set()
		return
	}
	v.host.Do(set)
}

// serves checks that all servers answer somebody new.
func (v *victim) serves() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := &transport.Dialer{NetDialer: v.dialer, Memory: new(transport.Memory)}
	cc, err := grpc.NewClient("passthrough:///"+v.grpc.String(), append(grpcdialer.DialOptions(grpcdialer.WithDialer(d)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		v.t.Fatal(err)
	}
	defer cc.Close()
	body := []byte("of somebody who behaves")
	out, err := testgrpc.NewTestServiceClient(cc).UnaryCall(ctx, &testpb.SimpleRequest{Payload: &testpb.Payload{Body: body}}, grpc.WaitForReady(true))
	if err != nil || !proto.Equal(out.GetPayload(), &testpb.Payload{Body: body}) {
		v.t.Errorf("gRPC: %v, %v", out, err)
	}
	tr := httptransport.New(d)
	tr.TLSClientConfig = &tls.Config{RootCAs: v.roots, ServerName: "example.com"}
	defer tr.CloseIdleConnections()
	for _, url := range []string{"http://" + v.http.String(), "https://" + v.https.String()} {
		v.get(ctx, tr, url)
	}
}

func (v *victim) get(ctx context.Context, tr *http.Transport, url string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	response, err := tr.RoundTrip(r)
	if err != nil {
		v.t.Errorf("%s: %v", url, err)
		return
	}
	defer response.Body.Close()
	if b, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		v.t.Errorf("%s: %s, %q, %v", url, response.Status, b, err)
	}
}
