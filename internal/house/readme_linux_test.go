package house

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
)

// TestReadmeCode checks that every line of Go in the README stands in this
// file, where it is compiled, and run by the tests below.
func TestReadmeCode(t *testing.T) {
	here, err := os.ReadFile("readme_linux_test.go")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for line := range strings.Lines(string(here)) {
		known[strings.TrimSpace(line)] = true
	}
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	inside, n := false, 0
	for line := range strings.Lines(string(readme)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```go"
		case inside && line != "" && !strings.HasPrefix(line, "// "):
			if n++; !known[line] {
				t.Errorf("no test runs this line of the README:\n%s", line)
			}
		}
	}
	if n == 0 {
		t.Error("the README has no Go code")
	}
}

// requireMultipath skips where there is no Multipath TCP, and fails there if
// MPTCPTEST_REQUIRE says that there must be.
func requireMultipath(t *testing.T) {
	t.Helper()
	if err := mptcp.Probe(); err != nil {
		if v := os.Getenv("MPTCPTEST_REQUIRE"); v != "" && v != "0" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// printed is what the lines that print said.
type printed struct{ lines []string }

func (p *printed) Println(a ...any) { p.lines = append(p.lines, fmt.Sprint(a...)) }

func (p *printed) check(t *testing.T) {
	t.Helper()
	if len(p.lines) != 2 || p.lines[0] != "multipath" || p.lines[1] != "multipath" {
		t.Errorf("printed %q, want multipath twice", p.lines)
	}
}

type health struct {
	healthpb.UnimplementedHealthServer
	check func(context.Context)
}

func (h *health) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	h.check(ctx)
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func TestReadmeGRPC(t *testing.T) {
	requireMultipath(t)
	fmt, address := new(printed), "127.0.0.1:0"

	listener, err := grpcdialer.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpcdialer.ServerOptions()...)
	defer server.Stop()
	healthpb.RegisterHealthServer(server, &health{check: func(ctx context.Context) {
		status, err := grpcdialer.FromContext(ctx)
		fmt.Println(status) // multipath
		if err != nil {
			t.Error(err)
		}
	}})
	go server.Serve(listener)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	target, creds, request := listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), new(healthpb.HealthCheckRequest)
	conn, err := grpc.NewClient(target, append(grpcdialer.DialOptions(), creds)...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var status mptcp.Status
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, request, grpcdialer.Status(&status))
	fmt.Println(status) // multipath
	if err != nil || reply.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", reply, err)
	}
	fmt.check(t)
}

func TestReadmeHTTP(t *testing.T) {
	requireMultipath(t)
	fmt, address := new(printed), freeAddress(t)
	url := "http://" + address
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		status, err := httptransport.FromRequest(r)
		fmt.Println(status) // multipath
		if err != nil {
			t.Error(err)
		}
	})
	server := &http.Server{Addr: address, Handler: handler}
	served := make(chan error)
	go func() {
		err := httptransport.ListenAndServe(server)
		served <- err
	}()
	defer func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}

	client := &http.Client{Transport: httptransport.RoundTripper(nil)}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	status, err := httptransport.FromResponse(response)
	fmt.Println(status) // multipath
	if err != nil {
		t.Error(err)
	}
	fmt.check(t)
}

// freeAddress returns an address of this host that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
