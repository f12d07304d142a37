package grpcdialer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/recent"
)

// Status returns a call option that fills s when the call ends, as grpc.Peer
// does: when a unary call has returned, or when a stream has ended. It is the
// status of the connection of the last attempt, and zero if there was none or
// if its status could not be read; a [Reporter] is told why.
//
// It needs the client interceptors of this package, which [DialOptions] brings
// along; without them s is left alone.
func Status(s *mptcp.Status) grpc.CallOption { return statusOption{s: s} }

type statusOption struct {
	grpc.EmptyCallOption
	s *mptcp.Status
}

// asking returns opts if one of them asks for the status, and nil otherwise: when an
// RPC ends they are in no processor's cache any more.
func asking(opts []grpc.CallOption) []grpc.CallOption {
	for _, o := range opts {
		if _, ok := o.(statusOption); ok {
			return opts
		}
	}
	return nil
}

// UnaryClientInterceptor returns an interceptor that calls r at the end of each
// RPC and fills what [Status] asks for. If r is nil it only does the latter.
//
// [DialOptions] installs it. It costs one allocation in twenty RPCs that are
// reported, one for each that has call options of its own, or two if it has several,
// and one in twenty milliseconds for each connection.
func UnaryClientInterceptor(r Reporter) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		asks := asking(opts)
		if r == nil && asks == nil {
			return invoker(ctx, method, req, reply, cc, opts...)
		}
		start := recent.Now()
		p := newPeerOption(opts)
		err := invoker(ctx, method, req, reply, cc, p.after(opts)...)
		finish(ctx, r, asks, &p.peer, start, method, false, err)
		p.peer = peer.Peer{} // a sheet may last longer than the connection should
		return err
	}
}

// StreamClientInterceptor is [UnaryClientInterceptor] for streams, each of which
// costs some allocations. It does not wrap the stream.
func StreamClientInterceptor(r Reporter) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		asks := asking(opts)
		if r == nil && asks == nil {
			return streamer(ctx, desc, cc, method, opts...)
		}
		// gRPC fills the peer before it calls the OnFinish functions, since
		// v1.78, and calls those without locks held. To ask the stream for its
		// context instead would commit it to the attempt that is under way.
		p := new(peerOption)
		start := recent.Now()
		var done atomic.Bool // should OnFinish be called twice, or not at all
		end := func(err error) {
			if done.CompareAndSwap(false, true) {
				finish(ctx, r, asks, &p.peer, start, method, true, err)
			}
		}
		stream, err := streamer(ctx, desc, cc, method, p.after(opts, grpc.OnFinish(end))...)
		if err != nil {
			end(err) // another interceptor may have failed before gRPC began
		}
		return stream, err
	}
}

// A peerOption asks gRPC for the peer, and has room for a call's own options, to
// save allocations.
type peerOption struct {
	peer peer.Peer
	all  [3]grpc.CallOption
}

// A sheet is several of them, which are used one after the other and once: an
// interceptor between this one and gRPC may have one written to when the RPC has long
// returned. To allocate them one by one costs half a percent of the rate of small RPCs.
type sheet struct {
	options [21]peerOption // as many as fill 2 KiB, where pointers have 64 bits
	used    int
}

var sheets = sync.Pool{New: func() any { return new(sheet) }}

// newPeerOption returns one for a call with opts. What is on a sheet lives as long as
// the last of its RPCs, so options of the user's own, and what they refer to, are not.
func newPeerOption(opts []grpc.CallOption) *peerOption {
	if !fromGenerated(opts) {
		return new(peerOption)
	}
	s := sheets.Get().(*sheet)
	p := &s.options[s.used]
	if s.used++; s.used < len(s.options) {
		sheets.Put(s)
	}
	return p
}

// fromGenerated reports whether opts are no more than what generated code says itself.
func fromGenerated(opts []grpc.CallOption) bool {
	if len(opts) != 1 {
		return len(opts) == 0
	}
	_, ok := opts[0].(grpc.StaticMethodCallOption)
	return ok
}

// after returns opts, the option, and more behind them. Whoever appends to it, and
// perhaps several at a time, gets a copy.
func (p *peerOption) after(opts []grpc.CallOption, more ...grpc.CallOption) []grpc.CallOption {
	return slices.Clip(append(append(append(p.all[:0], opts...), grpc.Peer(&p.peer)), more...))
}

// finish makes a report with the status of the connection to p and hands it
// to whoever wants it: r, and those of asks that ask for it.
func finish(ctx context.Context, r Reporter, asks []grpc.CallOption, p *peer.Peer, start time.Duration, method string, stream bool, err error) {
	var report Report // field by field: a literal would be on the stack once more
	report.Method, report.Side, report.Stream, report.Err = method, Client, stream, err
	report.look(p, start, asks != nil)
	for _, o := range asks {
		if o, ok := o.(statusOption); ok {
			*o.s = report.Status
		}
	}
	if r != nil {
		r(ctx, report)
	}
}
