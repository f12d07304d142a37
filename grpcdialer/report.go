package grpcdialer

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/recent"
)

// ErrNoConnection says that there is no connection to tell the status of: an
// RPC ended before it reached one, because none could be made or because it
// was cancelled while it waited, or a context is not that of an RPC.
var ErrNoConnection = errors.New("grpcdialer: the RPC has no connection")

// A Side says which end of an RPC reports.
type Side uint8

// The two sides.
const (
	Client Side = iota
	Server
)

// String returns "client" or "server".
func (s Side) String() string {
	if s == Server {
		return "server"
	}
	return "client"
}

// MarshalText returns the bytes of String, for JSON and for [log/slog].
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Report is what is known of one RPC when it has ended.
type Report struct {
	Method string // "/package.Service/Method"
	Side   Side
	Stream bool // not a unary RPC

	// Status is that of the connection at the end of the RPC, and StatusErr is
	// the error of reading it: ErrNoConnection; mptcp.ErrUntracked if the
	// server's listener is not one of package transport; mptcp.ErrNotTCP for a
	// Unix socket or bufconn; or one that matches net.ErrClosed, in which case
	// Status is the last one that was read, if any.
	//
	// Of an RPC that ended well over Multipath TCP it may be twenty milliseconds
	// old: RPCs that end on the same connection meanwhile share one look at it.
	// [FromContext] and [Status] look each time.
	//
	// Of a client's RPC that was retried, it is the connection of the last
	// attempt.
	Status    mptcp.Status
	StatusErr error

	// LocalAddr names the connection: see transport.Lookup. It is nil if there
	// was none.
	LocalAddr net.Addr

	// Err is the error of the RPC: on the client the one that the caller gets,
	// except that the end of a stream is nil and not io.EOF; on the server the
	// one that the handler returned.
	Err error

	// Duration is how long the RPC took: on the client from the call to its
	// end, the wait for a connection and retries included; on the server that
	// of the handler.
	Duration time.Duration
}

// A Reporter is called once at the end of each RPC, in the goroutine that ends
// it, with the context of the call or of the handler, which may be cancelled
// already. It must be quick and must be safe for concurrent use.
//
// A client's stream ends when RecvMsg or Header has returned an error or the
// end of the stream, when SendMsg has returned an error other than io.EOF,
// when its context is done, or when the ClientConn is closed. gRPC asks that
// one of these happen to each stream.
type Reporter func(ctx context.Context, r Report)

// FromContext reads the status of the connection that carries an RPC, from the
// context of its handler, unary or stream. It works with any credentials, when
// grpc.Server.ServeHTTP serves the RPC, and behind listeners that pass on the
// connections of one of package transport, such as those of cmux.
//
// It also works in the context of a client's stream, but only once the first
// message has arrived (stream.Context ends gRPC's readiness to retry), and in
// the GetRequestMetadata method of per-RPC credentials, which gRPC calls for
// each attempt.
//
// It costs what [mptcp.InspectAddr] costs and does not allocate. The errors are
// those of [Report.StatusErr].
func FromContext(ctx context.Context) (mptcp.Status, error) {
	p, _ := peer.FromContext(ctx)
	if p == nil || p.LocalAddr == nil {
		return mptcp.Status{}, ErrNoConnection
	}
	return mptcp.InspectAddrs(p.LocalAddr, p.Addr)
}

// look completes the report of an RPC that ends now on the connection to p: exactly
// if that is asked for or if the RPC failed, which may be the connection's fault.
func (r *Report) look(p *peer.Peer, start time.Duration, exact bool) {
	now := recent.Now()
	r.Duration = now - start
	if p == nil || p.LocalAddr == nil {
		r.StatusErr = ErrNoConnection
		return
	}
	r.LocalAddr = p.LocalAddr
	r.StatusErr = recent.AtEnd(&r.Status, p.LocalAddr, p.Addr, now, exact || r.Err != nil)
}
