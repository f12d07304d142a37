package grpcdialer

import (
	"context"
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc/credentials"

	"github.com/multipath-go/mptcp/transport"
)

// A dialer dials the addresses that gRPC gives to a custom dialer.
type dialer struct {
	transport transport.Dialer
	keepAlive bool
	proxy     proxyFunc // nil: no proxies
}

func newDialer(d *transport.Dialer, proxy proxyFunc) *dialer {
	dd := &dialer{keepAlive: true, proxy: proxy}
	if d != nil {
		dd.transport = *d
	}
	// gRPC wants SO_KEEPALIVE on, with the timing of the operating system
	// (google.golang.org/grpc/internal.NetDialerWithTCPKeepalive); package net
	// would set 15 seconds. Whoever says something about it has his way.
	nd := net.Dialer{}
	if dd.transport.NetDialer != nil {
		nd = *dd.transport.NetDialer
	}
	if nd.KeepAlive == 0 && !nd.KeepAliveConfig.Enable {
		nd.KeepAlive = -1
		dd.transport.NetDialer = &nd
	} else {
		dd.keepAlive = false
	}
	return dd
}

// dial has the type that grpc.WithContextDialer takes.
func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	attributes := credentials.ClientHandshakeInfoFromContext(ctx).Attributes
	t := &d.transport
	if mode, ok := attributes.Value(modeKey{}).(transport.Mode); ok {
		with := *t
		with.Mode = mode
		t = &with
	}
	network, address := parseAddress(address)
	if network != "tcp" {
		return t.DialContext(ctx, network, address)
	}
	if d.proxy == nil || attributes.Value(directKey{}) != nil {
		return d.dialTCP(ctx, t, address)
	}
	proxy, err := d.proxy(targetURL(address))
	if err != nil {
		return nil, &proxyError{target: address, err: err}
	}
	if proxy == nil {
		return d.dialTCP(ctx, t, address)
	}
	c, err := d.dialProxy(ctx, t, proxy, address)
	if err != nil {
		return nil, &proxyError{proxy: proxy, target: address, err: err}
	}
	return c, nil
}

func (d *dialer) dialTCP(ctx context.Context, t *transport.Dialer, address string) (net.Conn, error) {
	c, err := t.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// After the dial and not in a Control function: until early 2026 Linux
	// forgot what was set before connect if the connection then fell back.
	if tc, ok := c.(*net.TCPConn); ok && d.keepAlive {
		_ = tc.SetKeepAlive(true) // an option, not a reason to fail
	}
	return c, nil
}

// parseAddress returns the network and the address to dial for what gRPC gives
// to a custom dialer. That is "host:port" from the dns scheme, whatever the
// user wrote from the passthrough scheme, "unix:///path", "unix:path" and
// "unix:@name" from the unix and unix-abstract schemes, and a name that begins
// with a zero byte from resolvers that make abstract addresses themselves.
func parseAddress(s string) (network, address string) {
	if strings.HasPrefix(s, "\x00") {
		return "unix", s
	}
	rest, ok := strings.CutPrefix(s, "unix:")
	if !ok {
		return "tcp", s
	}
	if name, ok := strings.CutPrefix(rest, "//"); ok {
		if strings.HasPrefix(name, "/") {
			return "unix", name // not parsed: gRPC has done it, and a path may hold a %
		}
		// Only the passthrough scheme lets this through, as it always did.
		if u, err := url.Parse(s); err == nil {
			if u.Path != "" {
				return "unix", u.Path
			}
			return "unix", u.Host
		}
	}
	return "unix", rest
}
