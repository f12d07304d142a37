package faultmatrix

import (
	"context"
	"net"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// How long RPCs may take. What has not failed by itself then, fails with
// DeadlineExceeded.
const (
	firstTimeout  = 8 * time.Second
	streamTimeout = 7 * time.Second
	againTimeout  = 3 * time.Second
)

// measure fills a cell.
func measure(c Cell) *Result {
	r := &Result{Cell: c}
	t := new(tb)
	r.Log, r.Broken = t.run(func() { r.measure(t) })
	return r
}

func (r *Result) measure(t *tb) {
	f := r.Fault
	b := r.build(t)
	r.warmUp(b)
	if f.Host != nil {
		f.Host(b)
	}
	l := r.listen(t, b)
	d, cc := r.connect(t, b, l)
	serve(t, l)
	if f.Dial != nil {
		f.Dial(b)
	}
	before := [2]mptcp.Counters{b.Client.Counters(), b.Server.Counters()}

	var err error
	r.First, err = unary(cc, firstTimeout)
	if err != nil {
		t.Logf("first RPC: %v", err)
	}
	mine := d.first()
	theirs := l.peerOf(mine.conn)
	r.DialTime, r.DialErr = d.firstDial()
	r.Client[0], r.Server[0] = mine.seen, theirs.seen

	ctx, cancel := context.WithTimeout(context.Background(), streamTimeout)
	defer cancel()
	var stream *ticker
	if r.First.Completed() {
		stream = newTicker(ctx, cc)
		stream.tick(5, 0)
		r.waitJoin(b, before, stream)
	}
	r.Client[1], r.Server[1] = see(r.Stack, mine.conn, true), see(r.Stack, theirs.conn, true)

	if f.Mid != nil {
		f.Mid(b)
	}
	if stream != nil {
		start := time.Now()
		stream.tick(5, 500*time.Millisecond)
		r.Stream, r.Stall, r.StreamTime = stream.fate, stream.stall, time.Since(start)
	}
	r.Client[2], r.Server[2] = see(r.Stack, mine.conn, true), see(r.Stack, theirs.conn, true)
	r.Again, err = unary(cc, againTimeout)
	if err != nil {
		t.Logf("RPC after the fault: %v", err)
	}
	r.Kernel = b.Client.Counters()
	r.ClientMoved, r.ServerMoved = r.Kernel.Sub(before[0]), b.Server.Counters().Sub(before[1])
}

// waitJoin keeps the stream going until the second path is used. If it is not to
// be, it waits for what happens instead, and then a little for what does not.
func (r *Result) waitJoin(b *Bench, before [2]mptcp.Counters, stream *ticker) {
	wait := func(most time.Duration, done func() bool) {
		for start := time.Now(); r.Fault.TwoPaths && !done() && time.Since(start) < most; {
			stream.tick(1, 0)
		}
	}
	joined := func() bool { return b.Server.Counters()["MPJoinAckRx"] > 0 }
	if !r.Fault.OneSubflow {
		wait(3*time.Second, joined)
	} else {
		client, server := r.moves()
		wait(3*time.Second, func() bool {
			return missing(client, moved(b.Client.Counters().Sub(before[0]), client)) == nil &&
				missing(server, moved(b.Server.Counters().Sub(before[1]), server)) == nil
		})
		wait(300*time.Millisecond, joined)
	}
	r.Joined = r.Fault.TwoPaths && joined()
}

func (r *Result) build(t *tb) *Bench {
	lab := mptcptest.New(t)
	b := &Bench{Client: lab.Host("client"), Server: lab.Host("server")}
	b.First = lab.Link(b.Client, b.Server, mptcptest.LinkConfig{Name: "first", Delay: 2 * time.Millisecond})
	if !r.Fault.TwoPaths {
		return b
	}
	b.Second = lab.Link(b.Client, b.Server, mptcptest.LinkConfig{Name: "second", Delay: 5 * time.Millisecond})
	b.Client.SetLimits(2, 2)
	b.Server.SetLimits(2, 2)
	host, flags := b.Client, mptcptest.Subflow
	if r.Fault.Announce {
		host, flags = b.Server, mptcptest.Signal
	}
	host.AddEndpoint(r.addr(b.Second, host), flags)
	return b
}

// warmUp has the hosts find each other on the links, which can take a second if
// the machine is busy. Nobody listens yet.
func (r *Result) warmUp(b *Bench) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, l := range []*mptcptest.Link{b.First, b.Second} {
		if l == nil {
			continue
		}
		c, err := b.Client.DialContext(ctx, "tcp", netip.AddrPortFrom(r.addr(l, b.Server), 9).String())
		if err == nil {
			c.Close()
		}
	}
}

func (r *Result) addr(l *mptcptest.Link, h *mptcptest.Host) netip.Addr {
	if r.Family == IPv6 {
		return l.Addr6(h)
	}
	return l.Addr(h)
}

// listen listens on all addresses of the server.
func (r *Result) listen(t *tb, b *Bench) *listener {
	network, address := "tcp4", "0.0.0.0:80"
	if r.Family == IPv6 {
		network, address = "tcp6", "[::]:80"
	}
	nlc := b.Server.ListenConfig()
	nlc.SetMultipathTCP(true)
	listen := nlc.Listen
	if r.Stack == Ours {
		listen = (&transport.ListenConfig{NetListenConfig: nlc}).Listen
	}
	ln, err := listen(context.Background(), network, address)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	return &listener{Listener: ln, observer: observer{stack: r.Stack}}
}

func serve(t *tb, l *listener) {
	s := grpc.NewServer(grpcdialer.ServerOptions()...)
	testgrpc.RegisterTestServiceServer(s, echo{})
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
}

// connect makes a client. It dials with the first RPC.
func (r *Result) connect(t *tb, b *Bench, l *listener) (*dialer, *grpc.ClientConn) {
	nd := b.Client.Dialer()
	d := newDialer(r.Stack, l)
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	switch r.Stack {
	case Ours:
		td := &transport.Dialer{NetDialer: nd, Memory: new(transport.Memory)}
		options = append(options, grpcdialer.DialOptions(grpcdialer.WithDialer(td), grpcdialer.WithProxy(nil))...)
		d.dial = grpcdialer.New(td)
	case Std:
		nd.SetMultipathTCP(true)
		d.dial = func(ctx context.Context, address string) (net.Conn, error) {
			return nd.DialContext(ctx, "tcp", address)
		}
	}
	options = append(options, grpc.WithContextDialer(d.Dial))
	cc, err := grpc.NewClient("passthrough:///"+netip.AddrPortFrom(r.addr(b.First, b.Server), 80).String(), options...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return d, cc
}
