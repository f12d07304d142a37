package grpcpython

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 50051

var (
	//go:embed server.py
	serverProgram []byte
	//go:embed client.py
	clientProgram []byte
)

// TestPythonServer has a client of this module call gRPC's C core, which does
// not know that it uses Multipath TCP.
func TestPythonServer(t *testing.T) {
	s := scene.New(t)
	p := scene.NewProcess(t, s.Server)
	p.Start("mptcpize", "run", "python3", p.File("server.py", serverProgram, 0o644), fmt.Sprint("0.0.0.0:", port))
	s.AwaitListener(port)
	conn, err := grpc.NewClient(s.Address(port), append(grpcdialer.DialOptions(grpcdialer.WithDialer(s.Dialer())),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := healthpb.NewHealthClient(conn)
	s.Survives(scene.Program{
		Name: "gRPC for Python under mptcpize, server", Version: scene.PackageVersion(t, "python3-grpcio"), Us: "client",
		Exchange: func() error {
			var status mptcp.Status
			r, err := client.Check(t.Context(), new(healthpb.HealthCheckRequest), grpcdialer.Status(&status))
			if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING || status.State != mptcp.Multipath {
				return fmt.Errorf("the answer is %v by %v, %w", r, status, err)
			}
			return nil
		},
	})
}

// TestPythonClient has gRPC's C core call a server of this module, which tells
// it in the trailer what it sees.
func TestPythonClient(t *testing.T) {
	s := scene.New(t)
	server := grpc.NewServer(grpcdialer.ServerOptions(grpcdialer.WithTrailer())...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	go server.Serve(s.Listen(port))
	t.Cleanup(server.Stop)

	p := scene.NewProcess(t, s.Client)
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Start("mptcpize", "run", "python3", p.File("client.py", clientProgram, 0o644), s.Address(port), grpcdialer.TrailerKey)
	r := bufio.NewReader(out)
	n := 0
	s.Survives(scene.Program{
		Name: "gRPC for Python under mptcpize, client", Version: scene.PackageVersion(t, "python3-grpcio"), Us: "server",
		Exchange: func() error {
			n++
			if _, err := fmt.Fprintln(in, n); err != nil {
				return err
			}
			got, err := r.ReadString('\n')
			// The response, in hexadecimal digits, and the trailer.
			if want := fmt.Sprintf("%d 0801 multipath", n); err != nil || !strings.HasPrefix(got, want) {
				return fmt.Errorf("Python got %q, %w, not %q", got, err, want)
			}
			return nil
		},
	})
}
