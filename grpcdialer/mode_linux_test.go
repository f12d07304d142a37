package grpcdialer_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// One address may require Multipath TCP and another do without, against the
// dialer's own mode and under any balancer.
func TestWithMode(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	multipath, plain := listen(t, transport.Prefer), listen(t, transport.Off)
	serve(t, multipath)
	serve(t, plain)
	for _, c := range []struct {
		name         string
		server       string
		dialer, mode transport.Mode
		want         mptcp.State
		reason       mptcp.Reason
	}{
		{"required and had", multipath.Addr().String(), transport.Off, transport.Require, mptcp.Multipath, 0},
		{"required and not had", plain.Addr().String(), transport.Prefer, transport.Require, mptcp.Unknown, 0},
		{"off", multipath.Addr().String(), transport.Require, transport.Off, mptcp.TCP, mptcp.ReasonNotRequested},
		{"preferred", plain.Addr().String(), transport.Require, transport.Prefer, mptcp.Fallback, mptcp.ReasonNotAnswered},
	} {
		for _, balancer := range []string{"pick_first", "round_robin"} {
			for _, endpoints := range []bool{false, true} {
				addresses := []resolver.Address{grpcdialer.WithMode(resolver.Address{Addr: c.server}, c.mode)}
				state := resolver.State{Addresses: addresses}
				if endpoints {
					state = resolver.State{Endpoints: []resolver.Endpoint{{Addresses: addresses}}}
				}
				r := manual.NewBuilderWithScheme("one")
				r.InitialState(state)
				cc := client(t, "one:///", append(
					grpcdialer.DialOptions(grpcdialer.WithDialer(&transport.Dialer{Mode: c.dialer})),
					plaintext, grpc.WithResolvers(r),
					grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"`+balancer+`": {}}]}`))...)
				var s mptcp.Status
				_, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty), grpcdialer.Status(&s))
				if s.State != c.want || s.Reason != c.reason {
					t.Errorf("%s, %s, endpoints %v: %v, %v; want %v, %v", c.name, balancer, endpoints, s, err, c.want, c.reason)
				}
				if failed := c.want == mptcp.Unknown; failed != (status.Code(err) == codes.Unavailable) || !failed && err != nil {
					t.Errorf("%s, %s, endpoints %v: %v", c.name, balancer, endpoints, err)
				}
			}
		}
	}
}

// The attributes do not set apart addresses that are dialed alike: gRPC would
// drop the connection at each resolution.
func TestWithModeEqual(t *testing.T) {
	a := resolver.Address{Addr: "192.0.2.1:443"}
	if !grpcdialer.WithMode(a, transport.Require).Equal(grpcdialer.WithMode(a, transport.Require)) {
		t.Error("the same mode is not equal")
	}
	if grpcdialer.WithMode(a, transport.Require).Equal(grpcdialer.WithMode(a, transport.Off)) {
		t.Error("different modes are equal")
	}
	if a.Attributes != nil {
		t.Error("the address given was changed")
	}
}
