package httptransport

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/recent"
)

var errNoRecord = fmt.Errorf("%w: the response did not come through RoundTripper", ErrNoConnection)

// RoundTripper returns an [http.RoundTripper] that sends requests with base
// and remembers which connection carried each, for [FromResponse] to tell. If
// base is nil, it is a transport of its own made by [New] with a nil dialer.
//
// It costs four allocations and less than a microsecond for each request, and one look
// at the connection, as [mptcp.InspectAddr] does, in twenty milliseconds, or with each
// request if it was not dialed by package transport or does not use Multipath TCP.
// The base has to be, or to end in, an [http.Transport] or another RoundTripper
// that calls the GotConn hook of [net/http/httptrace]; hooks of the caller are
// called as well.
func RoundTripper(base http.RoundTripper) http.RoundTripper {
	return ReportingRoundTripper(base, nil)
}

// FromResponse returns the status of the connection that carried response. If
// the request was sent over several connections, because it was retried, the
// last of them is the one. After redirects it is the one of the last hop; that
// of an earlier hop is found through response.Request.Response.
//
// The response has to come from a client whose transport is, or contains, one
// made by [RoundTripper]; otherwise the error matches [ErrNoConnection].
//
// The status is read when FromResponse is called, so a response that is being
// streamed may be asked again and again. After the connection was closed it is
// the last one known, and the error matches [net.ErrClosed]. If the connection
// was not dialed by package transport it is the one that the connection had
// when it was chosen for the request. Once the connection has been collected as
// well, the last one known is that of the moment when the response came, or of
// twenty milliseconds before it.
func FromResponse(response *http.Response) (mptcp.Status, error) {
	if response == nil || response.Request == nil {
		return mptcp.Status{}, errNoRecord
	}
	r, ok := response.Request.Context().Value(recordKey{}).(*record)
	if !ok {
		return mptcp.Status{}, errNoRecord
	}
	return r.status(0, true)
}

type recordKey struct{}

// A record is the context of one request, and remembers its connection. It is
// context, trace and memory in one to save allocations.
type record struct {
	context.Context // the request's own context, with trace in it
	trace           httptrace.ClientTrace

	first  carrier                 // what most requests need
	taken  atomic.Bool             // and it is in use
	conn   atomic.Pointer[carrier] // the newest connection
	chosen *carrier                // the one that counts; set once, by settle
}

// A carrier is a connection that carried a request. Its status is the one at
// the last look.
type carrier struct {
	local   net.Addr
	foreign bool // not dialed by package transport
	status  mptcp.Status
	err     error
}

// begin makes ctx the record's parent.
func (r *record) begin(ctx context.Context) {
	r.trace.GotConn = r.gotConn
	r.Context = httptrace.WithClientTrace(ctx, &r.trace)
}

// Value returns the record itself for recordKey.
func (r *record) Value(key any) any {
	if key == (recordKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// gotConn is the httptrace hook. It is called again for each retry, and may be
// called at any time and on any goroutine.
func (r *record) gotConn(info httptrace.GotConnInfo) {
	if info.Conn == nil {
		return
	}
	c := &r.first
	if !r.taken.CompareAndSwap(false, true) {
		c = new(carrier)
	}
	c.local = info.Conn.LocalAddr()
	if a, ok := c.local.(*net.TCPAddr); ok && conntable.ByLocal(a) == nil {
		// It has to be asked now or never: to keep it would keep it alive.
		c.foreign = true
		c.status, c.err = mptcp.Inspect(info.Conn)
	}
	r.conn.Store(c)
}

// settle is called when the round trip is over. What the hook is told after
// that is not about this request: a context made from the response's carries
// the hook on to other requests. If the end is reported as well, what is seen now
// is not shared with it.
func (r *record) settle(reported bool) {
	c := r.conn.Load()
	if r.chosen = c; c == nil || c.foreign {
		return
	}
	now := recent.Now()
	if reported {
		c.see(recent.Before(c.local, now))
		return
	}
	c.look(now, false)
}

// look brings the status up to date as [recent.AtEnd] does.
func (c *carrier) look(now time.Duration, exact bool) {
	var s mptcp.Status
	err := recent.AtEnd(&s, c.local, nil, now, exact)
	c.see(s, err)
}

// see brings the status up to date. The table forgets connections that were
// closed and collected; what was seen of them before stays.
func (c *carrier) see(s mptcp.Status, err error) {
	if err == mptcp.ErrUntracked && c.status != (mptcp.Status{}) {
		c.err = fmt.Errorf("httptransport: %w", net.ErrClosed)
		return
	}
	c.status, c.err = s, err
}

// status returns the status now, or if exact is not set one of a moment before, as
// [recent.AtEnd] does.
func (r *record) status(now time.Duration, exact bool) (mptcp.Status, error) {
	if r.chosen == nil {
		return mptcp.Status{}, ErrNoConnection
	}
	c := *r.chosen // several goroutines may ask
	if !c.foreign {
		c.look(now, exact)
	}
	return c.status, c.err
}

// localAddr returns the address that names the connection, or nil.
func (r *record) localAddr() net.Addr {
	if r.chosen == nil {
		return nil
	}
	return r.chosen.local
}
