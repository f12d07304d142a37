package grpcdialer

import (
	"context"
	"net"

	"google.golang.org/grpc/keepalive"

	"github.com/multipath-go/mptcp/transport"
)

// Listen announces on the local network address for a gRPC server that has the
// [ServerOptions] of the same opts. It is [transport.ListenConfig.Listen], and
// bounds how long data may stay unacknowledged as gRPC does: by the timeout of
// the server's keep-alive, 20 seconds by default (gRFC A18). gRPC itself sets
// that on TCP connections only, since Linux refuses it to Multipath TCP.
//
// The listener is a [*transport.Listener] if network is a TCP one.
func Listen(network, address string, opts ...Option) (net.Listener, error) {
	o := newOptions(opts)
	lc := transport.ListenConfig{}
	if o.listen != nil {
		lc = *o.listen
	}
	switch {
	case o.serverKeepalive != nil:
		lc.UserTimeout = ServerUserTimeout(*o.serverKeepalive)
	case lc.UserTimeout == 0:
		lc.UserTimeout = ServerUserTimeout(keepalive.ServerParameters{})
	}
	return lc.Listen(context.Background(), network, address)
}

// WithListenConfig makes [Listen] listen with lc: to require Multipath TCP, to
// be told of changes, or to set options of the socket. The zero
// [transport.ListenConfig] is used by default. Everything else ignores it.
func WithListenConfig(lc *transport.ListenConfig) Option {
	return func(o *options) { o.listen = lc }
}

// WithServerKeepaliveParams is [grpc.KeepaliveParams] for connections of both
// kinds: for [ServerOptions], and for [Listen], whatever the UserTimeout of its
// configuration is. A client ignores it.
//
// As in gRPC, a kp.Timeout of zero means 20 seconds.
func WithServerKeepaliveParams(kp keepalive.ServerParameters) Option {
	return func(o *options) { o.serverKeepalive = &kp }
}
