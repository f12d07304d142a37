package grpcdialer_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// An outcome is what a client can see of how a target was dialed.
type outcome struct{ code, remote, authority string }

func outcomeOf(t *testing.T, target string, opts ...grpc.DialOption) outcome {
	t.Helper()
	cc, err := grpc.NewClient(target, append(opts, plaintext)...)
	if err != nil {
		return outcome{code: "NewClient fails"}
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var p peer.Peer
	var header metadata.MD
	_, err = testgrpc.NewTestServiceClient(cc).EmptyCall(ctx, new(testpb.Empty), grpc.Peer(&p), grpc.Header(&header))
	o := outcome{code: status.Code(err).String(), authority: strings.Join(header.Get("authority"), ",")}
	if p.Addr != nil {
		o.remote = p.Addr.Network() + " " + p.Addr.String()
	}
	return o
}

// authorityServer tells the client which authority it asked for.
func authorityServer() testgrpc.TestServiceServer {
	return contextServer{seen: func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		_ = grpc.SetHeader(ctx, metadata.MD{"authority": md.Get(":authority")})
	}}
}

// Every form of target means what it means to gRPC's own dialer.
func TestTargetsLikeStock(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	checkLeaks(t)
	t.Chdir(t.TempDir())
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	tcp := listen(t, transport.Prefer)
	serveService(t, tcp, authorityServer())
	for _, address := range []string{"socket", "a%20b", "a b", "@grpcdialer", "@/grpcdialer:/x"} {
		ln, err := net.Listen("unix", address)
		if err != nil {
			t.Fatal(err)
		}
		serveService(t, ln, authorityServer())
	}
	_, port, _ := net.SplitHostPort(tcp.Addr().String())

	for _, c := range []struct {
		target string
		ok     bool
	}{
		{"127.0.0.1:" + port, true},
		{"localhost:" + port, true},
		{":" + port, true},
		{"dns:127.0.0.1:" + port, true},
		{"dns:localhost:" + port, true},
		{"dns:///127.0.0.1:" + port, true},
		{"dns:///localhost:" + port, true},
		{"passthrough:127.0.0.1:" + port, true},
		{"passthrough:///127.0.0.1:" + port, true},
		{"passthrough:///localhost:" + port, true},
		{"passthrough://authority/127.0.0.1:" + port, true},
		{"unix:socket", true},
		{"unix:" + dir + "/socket", true},
		{"unix://" + dir + "/socket", true},
		{"unix://" + dir + "/a%20b", true},
		{"unix://" + dir + "/a%2520b", true},
		{"unix:a b", true},
		{"unix-abstract:grpcdialer", true},
		{"unix-abstract:/grpcdialer:/x", true},
		{"passthrough:///unix:///" + dir + "/socket", true},
		{"passthrough:///unix:socket", true},
		{"passthrough:///unix:" + dir + "/socket", true},
		{"passthrough:///unix://socket", true},

		{"", false},
		{":", false},
		{"dns:", false},
		{"dns:///", false},
		{"dns:///127.0.0.1:", false},
		{"passthrough:", false},
		{"passthrough:///", false},
		{"passthrough:///127.0.0.1", false},
		{"passthrough:///tcp://127.0.0.1:" + port, false},
		{"unix:", false},
		{"unix:none", false},
		{"unix://authority" + dir + "/socket", false},
		{"unix-abstract:none", false},
		{"no-such-scheme:127.0.0.1:" + port, false},
		{"dns:///127.0.0.1:1", false},
	} {
		stock := outcomeOf(t, c.target)
		ours := outcomeOf(t, c.target, grpcdialer.DialOptions()...)
		if stock != ours {
			t.Errorf("%q: %+v, and with gRPC's own dialer %+v", c.target, ours, stock)
		}
		if ok := stock.code == "OK"; ok != c.ok {
			t.Errorf("%q: %+v, want OK: %v", c.target, stock, c.ok)
		}
	}
}

// keepAlive returns SO_KEEPALIVE and TCP_KEEPIDLE of the connection that dial
// makes to address.
func keepAlive(t *testing.T, address string, dial func(context.Context, string) (net.Conn, error)) (on, idle int) {
	t.Helper()
	c, err := dial(testContext(t), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return sockopt(t, c, soKeepAlive), sockopt(t, c, tcpKeepIdle)
}

// SO_KEEPALIVE is on with the timing of the system, as gRPC has it, unless the
// caller's dialer says something else.
func TestKeepAlive(t *testing.T) {
	checkLeaks(t)
	for _, mode := range []transport.Mode{transport.Prefer, transport.Off} {
		address := listen(t, mode).Addr().String()
		unconnected, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		system := sockopt(t, unconnected, tcpKeepIdle)
		unconnected.Close()
		for _, c := range []struct {
			name     string
			dialer   *transport.Dialer
			on, idle int
		}{
			{"nil", nil, 1, system},
			{"zero", new(transport.Dialer), 1, system},
			{"Off", &transport.Dialer{Mode: transport.Off}, 1, system},
			{"no wish", &transport.Dialer{NetDialer: &net.Dialer{Timeout: time.Minute}}, 1, system},
			{"KeepAlive", &transport.Dialer{NetDialer: &net.Dialer{KeepAlive: 33 * time.Second}}, 1, 33},
			{"KeepAliveConfig", &transport.Dialer{NetDialer: &net.Dialer{
				KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 44 * time.Second},
			}}, 1, 44},
			{"disabled", &transport.Dialer{NetDialer: &net.Dialer{KeepAlive: -1}}, 0, system},
		} {
			if on, idle := keepAlive(t, address, grpcdialer.New(c.dialer)); on != c.on || idle != c.idle {
				t.Errorf("%s to %v: SO_KEEPALIVE %d, TCP_KEEPIDLE %d; want %d, %d", c.name, mode, on, idle, c.on, c.idle)
			}
		}
	}
}
