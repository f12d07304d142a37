package handover

import (
	"cmp"
	"context"
	"net"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// A stack is what carries the streams.
type stack int

const (
	ours    stack = iota // this module
	quick                // this module, with QuickHandover at both ends
	managed              // this module, and a Manager at the client with SilentAfter
	std                  // package net with Multipath TCP
	tcp                  // TCP, with gRPC's keepalive; the client begins a new stream where one ends
)

var stacks = []stack{ours, quick, managed, std, tcp}

func (s stack) String() string {
	return [...]string{"this module", "with QuickHandover", "with a Manager", "package net", "TCP"}[s]
}

// ofThisModule says whether it uses more than package net.
func (s stack) ofThisModule() bool { return s <= managed }

// keepTimeout is the timeout of gRPC's keepalive over TCP: it is what gRPC sets
// TCP_USER_TIMEOUT to as well. Pings are ten seconds apart, which is the least
// that gRPC allows.
const keepTimeout = 2 * time.Second

// userTimeout is what gRPC has servers use by default, for a watchdog that must
// not take a handover for the end.
const userTimeout = 20 * time.Second

func (s *scene) userTimeout() time.Duration { return cmp.Or(s.setup.userTimeout, userTimeout) }

// conns keeps the connections of one end.
type conns struct {
	mu  sync.Mutex
	all []*net.TCPConn
}

func (c *conns) add(conn net.Conn) {
	if conn, ok := conn.(*net.TCPConn); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, conn)
	}
}

func (c *conns) first() *net.TCPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) == 0 {
		return nil
	}
	return c.all[0]
}

// seen adds what dial makes.
func (c *conns) seen(dial func(ctx context.Context, address string) (net.Conn, error)) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
		if err == nil {
			c.add(conn)
		}
		return conn, err
	}
}

type listener struct {
	net.Listener
	conns *conns
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.conns.add(c)
	}
	return c, err
}

// each calls f with every socket of a dialer or listener before it connects or
// listens.
func each(f func(fd int), next func(network, address string, c syscall.RawConn) error) func(network, address string, c syscall.RawConn) error {
	if f == nil {
		return next
	}
	return func(network, address string, c syscall.RawConn) error {
		if err := next(network, address, c); err != nil {
			return err
		}
		return c.Control(func(fd uintptr) { f(int(fd)) })
	}
}

func (s *scene) listen() (net.Listener, error) {
	lc := s.server.ListenConfig()
	lc.Control = each(s.lever.tune, lc.Control)
	lc.KeepAliveConfig = s.lever.keepAlive
	ctx := context.Background()
	if s.stack.ofThisModule() {
		return (&transport.ListenConfig{
			NetListenConfig: lc, CongestionControl: s.lever.congestion, UserTimeout: s.userTimeout(), QuickHandover: s.stack == quick,
		}).Listen(ctx, "tcp", ":0")
	}
	lc.SetMultipathTCP(s.stack == std)
	return lc.Listen(ctx, "tcp", ":0")
}

func (s *scene) serverOptions() []grpc.ServerOption {
	switch {
	case s.stack.ofThisModule():
		return append(grpcdialer.ServerOptions(), s.lever.serverOptions...)
	case s.stack == std:
		return s.lever.serverOptions
	}
	return []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: keepTimeout})}
}

// dial makes a client of the server at the given addresses, the first of which
// is that of the first path.
func (s *scene) dial(addresses ...string) (*grpc.ClientConn, error) {
	d := s.phone.Dialer()
	d.Control = each(s.lever.tune, d.Control)
	d.KeepAliveConfig = s.lever.keepAlive
	target := "passthrough:///" + addresses[0]
	if s.stack.ofThisModule() {
		return client(target, &transport.Dialer{
			NetDialer: d, CongestionControl: s.lever.congestion, UserTimeout: s.userTimeout(), QuickHandover: s.stack == quick,
		}, &s.clientConns, s.lever.dialOptions...)
	}
	d.SetMultipathTCP(s.stack == std)
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(s.clientConns.seen(func(ctx context.Context, address string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", address)
		})),
	}
	if s.stack == tcp {
		// The client knows the server's address on either path.
		r := manual.NewBuilderWithScheme("paths")
		var state resolver.State
		for _, a := range addresses {
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a}}})
		}
		r.InitialState(state)
		target = "paths:///"
		opts = append(opts, grpc.WithResolvers(r),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: keepTimeout}))
	}
	return grpc.NewClient(target, append(opts, s.lever.dialOptions...)...)
}

// client makes a client of this module, whose connections are added to seen.
func client(target string, d *transport.Dialer, seen *conns, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	opts := append(grpcdialer.DialOptions(grpcdialer.WithDialer(d)),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(seen.seen(grpcdialer.New(d)))) // the same dialer again
	return grpc.NewClient(target, append(opts, more...)...)
}
