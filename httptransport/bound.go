package httptransport

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

const (
	// farewell is how long a client that has closed its side may still be written
	// to: it may be waiting for the answer.
	farewell = 500 * time.Millisecond

	// quick is how long a handler may take that nobody has to watch.
	quick = 100 * time.Millisecond
)

// A bound makes writes fail after the client has gone, for as long as one
// handler runs.
//
// The sign is that net/http cancels the request's context: it reads from the
// connection while the handler runs and has met the end. It does not do so
// while there is request body left that the handler may want; but it reads
// that itself before it writes the response, unless it is large.
//
// A context is cancelled for other reasons too (the context of the whole
// server, a timeout set by a handler around this one) and then the client is
// still waiting for an answer. So the socket has the last word.
//
// To have a function called when a context is cancelled takes seven allocations
// and a tenth of the time of a small request, and most handlers have returned
// before it could matter. A timer that is used again takes a fifth of that, so
// the context is watched only when it has run out.
type bound struct {
	w     http.ResponseWriter
	ctx   context.Context
	entry *conntable.Entry
	first *time.Timer // calls slow

	mu    sync.Mutex
	stop  func() bool // stops waiting for the context; nil before slow is called
	timer *time.Timer // runs once the context has been cancelled
	done  bool        // the handler has returned
}

// bounds are those of handlers that were quick.
var bounds = sync.Pool{New: func() any {
	b := new(bound)
	b.first = time.AfterFunc(math.MaxInt64, b.slow)
	return b
}}

// newBound returns a bound for a request, or nil if it needs none. HTTP/2 reads
// its connections all the time and closes them when the client has gone. TCP
// sockets fail by themselves. And a connection that is going to be hijacked
// belongs to the handler: a peer that has finished sending through a tunnel
// may be reading from it for hours, and to meet that end cancels the context
// there as well.
func newBound(w http.ResponseWriter, r *http.Request) *bound {
	if r.ProtoMajor != 1 || r.Method == http.MethodConnect || r.Header.Get("Upgrade") != "" {
		return nil
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if local == nil {
		return nil
	}
	e := conntable.ByLocal(local)
	if e == nil || e.Final.Load() != 0 {
		return nil // not ours, or known not to use Multipath TCP
	}
	b := bounds.Get().(*bound)
	b.w, b.ctx, b.entry = w, r.Context(), e
	b.first.Reset(quick)
	return b
}

// end is called when the handler has returned. After that the connection may
// be serving its next request, so nothing may touch it.
func (b *bound) end() {
	if b.first.Stop() { // the usual case: nobody else has it
		b.w, b.ctx, b.entry = nil, nil, nil
		bounds.Put(b)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	if b.stop != nil {
		b.stop()
	}
	if b.timer != nil {
		b.timer.Stop()
	}
}

// slow is called when the handler has not returned for a while.
func (b *bound) slow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.stop = context.AfterFunc(b.ctx, b.cancelled)
	}
}

// cancelled is called when the request's context has been cancelled.
func (b *bound) cancelled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.done {
		b.timer = time.AfterFunc(farewell, b.expired)
	}
}

// expired makes writes fail, if it was the client's end that cancelled the
// context. It holds the lock throughout, so that it does not outlast end.
func (b *bound) expired() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	s, err := mptcp.InspectAddr(b.entry.Local)
	if errors.Is(err, net.ErrClosed) || s.State == mptcp.TCP || s.State == mptcp.Fallback {
		return
	}
	if err != nil || !peerFinished(b.entry.Raw) {
		b.timer = time.AfterFunc(farewell, b.expired) // it may go later, or have said so by TLS first
		return
	}
	// This fails only for a handler around this one that hides the real
	// response writer. http.TimeoutHandler does, and ends the request itself.
	_ = http.NewResponseController(b.w).SetWriteDeadline(time.Unix(1, 0))
}
