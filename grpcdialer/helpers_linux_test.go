package grpcdialer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// needMultipath fails, and does not skip, where the host has no Multipath TCP:
// a skip would hide that nothing was tested.
func needMultipath(t testing.TB) {
	t.Helper()
	if err := mptcp.Probe(); err != nil {
		t.Fatalf("this test needs Multipath TCP: %v", err)
	}
}

// A recorder keeps reports.
type recorder struct {
	mu      sync.Mutex
	reports []grpcdialer.Report
}

func (r *recorder) report(_ context.Context, report grpcdialer.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, report)
}

func (r *recorder) all() []grpcdialer.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reports)
}

// wait returns the reports as soon as there are n of them, and fails if there
// are more a moment later.
func (r *recorder) wait(t testing.TB, n int) []grpcdialer.Report {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for len(r.all()) < n && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	got := r.all()
	if len(got) != n {
		t.Fatalf("got %d reports, want %d: %+v", len(got), n, got)
	}
	return got
}

// certificate returns one for 127.0.0.1 and localhost, and the pool to verify
// it with. It serves as a client's certificate as well.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "grpcdialer test"},
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost", "server.test"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
})

func serverTLS() *tls.Config {
	cert, _ := certificate()
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}
}

func clientTLS() *tls.Config {
	_, pool := certificate()
	return &tls.Config{RootCAs: pool}
}

var plaintext = grpc.WithTransportCredentials(insecure.NewCredentials())

// listen listens on loopback, in the given mode.
func listen(t testing.TB, mode transport.Mode) net.Listener {
	t.Helper()
	lc := transport.ListenConfig{Mode: mode}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// serve serves the interop test service on ln until the test ends.
func serve(t testing.TB, ln net.Listener, opts ...grpc.ServerOption) *grpc.Server {
	t.Helper()
	return serveService(t, ln, interop.NewTestServer(), opts...)
}

func serveService(t testing.TB, ln net.Listener, service testgrpc.TestServiceServer, opts ...grpc.ServerOption) *grpc.Server {
	t.Helper()
	s := grpc.NewServer(opts...)
	testgrpc.RegisterTestServiceServer(s, service)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ln); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	return s
}

// client returns a ClientConn that is closed when the test ends.
func client(t testing.TB, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(target, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func tlsCreds(c *tls.Config) grpc.DialOption {
	return grpc.WithTransportCredentials(credentials.NewTLS(c))
}

// testContext bounds a test.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// checkLeaks fails the test if it leaves goroutines, file descriptors or open
// connections behind. Call it before anything that registers a cleanup.
func checkLeaks(t testing.TB) {
	t.Helper()
	before, fds := goroutines(), openFiles(t)
	t.Cleanup(func() {
		var left []string
		var n, open int
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			left = left[:0]
			for id, stack := range goroutines() {
				if before[id] == "" {
					left = append(left, stack)
				}
			}
			n, open = openFiles(t), 0
			for range transport.Connections() {
				open++
			}
			if len(left) == 0 && n <= fds && open == 0 {
				return
			}
		}
		t.Errorf("left behind: %d file descriptors, %d connections, %d goroutines\n%s",
			n-fds, open, len(left), strings.Join(left, "\n\n"))
	})
}

// goroutines returns the stacks of all goroutines by the line that names them.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		if strings.Contains(stack, "runtime.runCleanups") || strings.Contains(stack, "runtime.runFinalizers") {
			continue // started when the first cleanup is due, and there to stay
		}
		all[id] = stack
	}
	return all
}

func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
