package grpcdialer

import (
	"context"
	"net/url"

	"golang.org/x/net/http/httpproxy"
	"google.golang.org/grpc/keepalive"

	"github.com/multipath-go/mptcp/transport"
)

// An Option changes what [DialOptions], [ServerOptions] and [Listen] return. An
// option that has no meaning for one of them is ignored there, so that one list
// can serve all.
type Option func(*options)

type options struct {
	dialer          *transport.Dialer
	listen          *transport.ListenConfig
	keepalive       *keepalive.ClientParameters
	serverKeepalive *keepalive.ServerParameters
	reporter        Reporter
	trailer         bool
	proxySet        bool
	proxy           proxyFunc
}

func newOptions(opts []Option) *options {
	o := new(options)
	for _, f := range opts {
		f(o)
	}
	return o
}

// WithDialer makes the client dial with d: to require Multipath TCP, to give
// the head start, or to set options of the socket. The zero [transport.Dialer]
// is used by default. A server ignores it.
//
// If d.NetDialer says nothing about keep-alive, connections get SO_KEEPALIVE
// with the timing of the operating system, which is gRPC's default and not
// that of package net.
func WithDialer(d *transport.Dialer) Option {
	return func(o *options) { o.dialer = d }
}

// WithReporter has r called at the end of each RPC. It may be given more than
// once: each function is called, in the order given.
func WithReporter(r Reporter) Option {
	return func(o *options) {
		switch first := o.reporter; {
		case r == nil:
		case first == nil:
			o.reporter = r
		default:
			o.reporter = func(ctx context.Context, report Report) {
				first(ctx, report)
				r(ctx, report)
			}
		}
	}
}

// WithProxy makes the client ask proxy which HTTP proxy to use for a target,
// and none at all if proxy is nil. The URL that it is given is "https://"
// followed by the target's host and port; a nil result means no proxy.
//
// By default the environment decides (HTTPS_PROXY, NO_PROXY and their lower
// case forms), as it does for gRPC without a dialer of its own, except that it
// is read when [DialOptions] is called and not once for the whole process. See
// [golang.org/x/net/http/httpproxy] for the rules. A server ignores this option.
//
// Targets of the dns scheme are asked about by name, as the user wrote it, and
// if there is a proxy it resolves the name (gRFC A1). For other schemes the
// question is about each address that the resolver reports, so a NO_PROXY that
// names hosts has no effect if those are numeric.
//
// The proxy is dialed like anything else, so Multipath TCP is used as far as
// the proxy, and it is that connection whose status is reported.
func WithProxy(proxy func(*url.URL) (*url.URL, error)) Option {
	return func(o *options) { o.proxy, o.proxySet = proxy, true }
}

func (o *options) proxyFunc() proxyFunc {
	if o.proxySet {
		return o.proxy
	}
	env := httpproxy.FromEnvironment()
	if env.HTTPSProxy == "" {
		return nil // gRPC targets count as https; HTTP_PROXY never applies
	}
	return env.ProxyFunc()
}

// WithTrailer makes the server tell the client what it saw: the status of the
// connection at the end of the RPC, in the trailing metadata, under
// [TrailerKey]. The client reads it with [FromTrailer]. A client ignores this
// option.
//
// It adds some 30 bytes to each response, and costs the two sides together
// some 13 allocations. It tells the peer what carried its
// own connection, and nothing about other connections.
func WithTrailer() Option {
	return func(o *options) { o.trailer = true }
}
