package httptransport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/recent"
)

// FromRequest returns the status of the connection that request came in on. It
// is for servers; [FromResponse] is for clients. It may be called as long as
// the handler runs and, since it does not look at the connection but asks for
// it by its address, for hijacked connections as well.
//
// The server has to listen with [ListenAndServe] or with package transport;
// otherwise the error is [mptcp.ErrUntracked], or [mptcp.ErrNotTCP] if it does
// not listen on TCP at all. For a request that no server is handling it is
// [ErrNoConnection]. Other errors, the cost, which includes no
// allocation, and the status of closed connections are as for
// [mptcp.InspectAddr].
func FromRequest(request *http.Request) (mptcp.Status, error) {
	local := localAddr(request)
	if local == nil {
		return mptcp.Status{}, ErrNoConnection
	}
	return mptcp.InspectAddr(local)
}

// localAddr returns the address that names the connection, or nil.
func localAddr(request *http.Request) net.Addr {
	local, _ := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return local
}

// Handler returns a handler that calls next, or [http.DefaultServeMux] if next
// is nil, reports each request to report when it has ended, unless report is
// nil, and lets handlers notice that their client has gone.
//
// The latter is for HTTP/1: after a client has closed a Multipath TCP
// connection, Linux goes on accepting what a server writes to it, and throws
// it away, for 60 seconds. On a TCP connection such a write fails. A handler
// that obeys the request's context ends in either case; one that only waits
// for a write to fail is kept running. So Handler makes writes fail half a
// second after the client has closed, or a tenth later. A client that has
// closed only its own direction of the connection, and would still read,
// cannot be told from one that has gone: net/http cancels the request's
// context for both. It has this half second to be answered. Requests with the
// method CONNECT or the header Upgrade, whose connections handlers hijack, are
// left alone; a handler that hijacks other connections and writes to
// half-closed ones for longer than that is the one thing that cannot be
// wrapped in Handler.
//
// The response writer is handed on as it is. With a nil report nothing is
// allocated for handlers that return within a tenth of a second; for one that
// takes longer, over HTTP/1 and Multipath TCP, it is at most twelve times.
func Handler(next http.Handler, report Reporter) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	return &handler{next, report}
}

type handler struct {
	next   http.Handler
	report Reporter
}

// ServeHTTP handles a request. See http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b := newBound(w, r); b != nil {
		defer b.end()
	}
	if h.report == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	start, finished := recent.Now(), false
	defer func() {
		var p any
		err := context.Cause(r.Context())
		if !finished {
			p = recover()
			err = panicError(p)
		}
		now, local := recent.Now(), localAddr(r)
		report := Report{
			Side: Server, Method: r.Method, Host: r.Host, Pattern: r.Pattern,
			StatusErr: ErrNoConnection, LocalAddr: local, Err: err, Duration: now - start,
		}
		if local != nil {
			report.StatusErr = recent.AtEnd(&report.Status, local, nil, now, err != nil) // which may be the connection's fault
		}
		h.report(r.Context(), report)
		if p != nil {
			// The stack below is still that of the first panic, and
			// net/http prints it.
			panic(p)
		}
	}()
	h.next.ServeHTTP(w, r)
	finished = true
}

// panicError returns what a handler panicked with as an error.
func panicError(p any) error {
	switch p := p.(type) {
	case nil:
		return errors.New("httptransport: handler ended its goroutine")
	case error:
		return p
	default:
		return fmt.Errorf("panic: %v", p)
	}
}
