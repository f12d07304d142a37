package grpcdialer

import (
	"math"
	"time"

	"google.golang.org/grpc/keepalive"
)

const (
	never                   = time.Duration(math.MaxInt64) // gRPC's word for no keep-alive
	defaultKeepaliveTimeout = 20 * time.Second             // of both sides (gRFC A8)
)

// WithKeepaliveParams is [grpc.WithKeepaliveParams] for connections of both
// kinds. With keep-alive on, gRPC bounds by kp.Timeout also how long data may
// stay unacknowledged (gRFC A18): by TCP_USER_TIMEOUT, which Linux refuses to
// Multipath TCP, unnoticed. This option has the dialer see to it, whatever its
// own UserTimeout is, as [transport.Dialer.UserTimeout] describes. A server
// ignores it: see [WithServerKeepaliveParams].
//
// As in gRPC, a kp.Timeout of zero means 20 seconds, and a kp.Time of less than
// ten seconds, zero too, means ten.
func WithKeepaliveParams(kp keepalive.ClientParameters) Option {
	return func(o *options) { o.keepalive = &kp }
}

// ServerUserTimeout returns the UserTimeout that a listener of a gRPC server
// needs for what gRPC itself sets on TCP connections and Linux refuses to
// Multipath TCP (gRFC A18). [Listen] sets it; this is for a listener that was
// made elsewhere. Servers have keep-alive by default, with a timeout of 20
// seconds: the zero ServerParameters stand for that.
//
//	kp := keepalive.ServerParameters{Timeout: 10 * time.Second}
//	lc := transport.ListenConfig{UserTimeout: grpcdialer.ServerUserTimeout(kp)}
//	listener, err := lc.Adopt(inherited)
//	server := grpc.NewServer(grpcdialer.ServerOptions(grpcdialer.WithServerKeepaliveParams(kp))...)
func ServerUserTimeout(kp keepalive.ServerParameters) time.Duration {
	return userTimeout(kp.Time, kp.Timeout)
}

func userTimeout(pause, timeout time.Duration) time.Duration {
	switch {
	case pause == never:
		return 0
	case timeout == 0:
		return defaultKeepaliveTimeout
	}
	return timeout
}
