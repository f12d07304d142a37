package httptransport

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/multipath-go/mptcp"
)

// ErrNoConnection says that there is no connection to tell the status of: a
// request got none, a response came out of a cache or did not come through
// [RoundTripper], or a request is not one that a server is handling.
var ErrNoConnection = errors.New("httptransport: no connection")

// A Side says which end of a request reports.
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

// A Report is what is known of one request when it has ended.
type Report struct {
	Side Side

	// Method is the request's method. Host is the host, with the port if there
	// is one, that a client's URL names and that a server was asked for.
	Method, Host string

	// Pattern is the pattern of [net/http.ServeMux] that the request matched.
	// It is empty for clients and where no ServeMux is involved. Unlike a path
	// it is fit for a metric label.
	Pattern string

	// StatusCode is the status code that the client received. It is zero if
	// there was no response, and always for a server: to see the code it would
	// have to wrap the [net/http.ResponseWriter], which hides from handlers,
	// and from net/http itself, what the real one can do.
	StatusCode int

	// Status is that of the connection at the end of the request, and
	// StatusErr is the error of reading it: that of [FromResponse] or
	// [FromRequest]. If it matches net.ErrClosed, Status is the last one that
	// was read.
	//
	// Of a request that ended well over Multipath TCP it may be twenty milliseconds
	// old: requests that end on the same connection meanwhile share one look at
	// it. [FromRequest] and [FromResponse] look each time.
	Status    mptcp.Status
	StatusErr error

	// LocalAddr names the connection: see transport.Lookup. It is nil if there
	// was none.
	LocalAddr net.Addr

	// Err is why the request failed, or nil. For a client it is the error of
	// the round trip or of reading the body. For a server it is what the
	// handler panicked with, or else the cause for which the request's context
	// had ended before the handler did, such as a client that has gone.
	Err error

	// Duration is the time from the start of the request until its end: for a
	// client until the body was read or closed, for a server until the handler
	// returned.
	Duration time.Duration
}

// A Reporter is called once at the end of each request, on the goroutine that
// ends it, with the context of the caller's or the handler's request, which
// may be cancelled already. It must be quick and safe for concurrent use.
type Reporter func(ctx context.Context, r Report)
