package grpcdialer

import (
	"context"
	"net"

	"google.golang.org/grpc"

	"github.com/multipath-go/mptcp/transport"
)

// DialOptions returns what makes a gRPC client use Multipath TCP: a dialer, a
// resolver for the dns scheme that leaves names to the proxy where there is
// one, and the interceptors behind [Status] and [WithReporter].
//
// Interceptors are chained, so those of other options stay; retries and stats
// handlers are not affected. An RPC that is neither reported nor asked about
// costs no allocation more.
//
// Flow-control windows are 16 MiB, on both sides, and do not grow, since gRPC
// sizes them for one path; as much may be kept for a stream that nobody reads
// from. [grpc.WithInitialWindowSize] and [grpc.WithInitialConnWindowSize] after
// these options say otherwise.
//
// The environment is read now, and not again later. A resolver of your own for
// the dns scheme has to be given before these options: gRPC takes the first.
func DialOptions(opts ...Option) []grpc.DialOption {
	o := newOptions(opts)
	d := newDialer(o.dialer, o.proxyFunc())
	if o.keepalive != nil {
		d.transport.UserTimeout = userTimeout(o.keepalive.Time, o.keepalive.Timeout)
	}
	dialOptions := []grpc.DialOption{
		grpc.WithContextDialer(d.dial),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithChainUnaryInterceptor(UnaryClientInterceptor(o.reporter)),
		grpc.WithChainStreamInterceptor(StreamClientInterceptor(o.reporter)),
	}
	if o.keepalive != nil {
		dialOptions = append(dialOptions, grpc.WithKeepaliveParams(*o.keepalive))
	}
	if d.proxy != nil {
		dialOptions = append(dialOptions, grpc.WithResolvers(newDNSBuilder(d.proxy)))
	}
	return dialOptions
}

// ServerOptions returns the interceptors and the keep-alive parameters that opts
// ask for, and flow-control windows as those of [DialOptions]. What makes a
// server use Multipath TCP is its listener, which has to come from [Listen] or
// from package transport, and [FromContext] needs no help.
//
// Interceptors are chained, so those of other options stay.
func ServerOptions(opts ...Option) []grpc.ServerOption {
	o := newOptions(opts)
	serverOptions := []grpc.ServerOption{
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
	}
	if o.serverKeepalive != nil {
		serverOptions = append(serverOptions, grpc.KeepaliveParams(*o.serverKeepalive))
	}
	if o.reporter != nil || o.trailer {
		s := server{o.reporter, o.trailer}
		serverOptions = append(serverOptions, grpc.ChainUnaryInterceptor(s.unary), grpc.ChainStreamInterceptor(s.stream))
	}
	return serverOptions
}

// window is how much may be on its way to a reader. By itself gRPC estimates
// that from the time that a ping takes and from what arrives in this time. Over
// several paths the ping takes the fastest, and a window for that one leaves
// the others empty: a stream over 50 Mbit/s at 10 ms and 50 Mbit/s at 60 ms has
// the rate of the first alone. This is the most that gRPC's own estimate ever
// comes to (bdpLimit in internal/transport/bdp_estimator.go).
const window = 16 << 20

// New returns a function for grpc.WithContextDialer that dials with d. A nil d
// is equivalent to the zero [transport.Dialer].
//
// It takes every address that gRPC's own dialer takes, heeds [WithMode] and
// keeps TCP connections alive as gRPC does. It does not use proxies: a dialer
// alone comes too late for that, since gRPC has resolved the name by then. Nor
// does it set flow-control windows: with those that gRPC chooses, a stream over
// paths of unequal delay hardly uses the slower ones. [DialOptions] does both.
func New(d *transport.Dialer) func(ctx context.Context, address string) (net.Conn, error) {
	return newDialer(d, nil).dial
}
