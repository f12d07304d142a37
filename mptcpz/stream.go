package mptcpz

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"
	"weak"
)

const (
	maxStreams = 64               // at a time
	patience   = 10 * time.Second // with a viewer that does not read
)

// stream sends the state once a second, as server-sent events, until the
// viewer goes or the server is shut down.
func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "mptcpz: "+err.Error(), http.StatusBadRequest)
		return
	}
	down, leave, ok := h.streams.enter(r)
	if !ok {
		http.Error(w, fmt.Sprintf("mptcpz: %d streams are open, which is the limit: use state.json, or close some", maxStreams),
			http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	control := http.NewResponseController(w)
	if errors.Is(control.Flush(), http.ErrNotSupported) {
		http.Error(w, fmt.Sprintf("mptcpz: %T cannot be flushed, so there is no stream: use state.json, or give it an Unwrap method", w),
			http.StatusNotImplemented)
		return
	}
	// A viewer that comes back says which events it has.
	told, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for seq := uint64(0); ; {
		if s := h.sampler.sample(); s.seq != seq {
			seq = s.seq
			newest := uint64(0)
			if n := len(s.events); n > 0 {
				newest = s.events[n-1].N
			}
			if told > newest {
				told = 0 // it speaks of another process that was here before
			}
			v := s.view(q, told)
			told = newest
			b, err := json.Marshal(v)
			if err != nil {
				return
			}
			// The server's own limit for an answer is not meant for a stream.
			_ = control.SetWriteDeadline(time.Now().Add(patience))
			if _, err := fmt.Fprintf(w, "retry: 2000\nid: %d\nevent: state\ndata: %s\n\n", told, b); err != nil {
				return
			}
			if control.Flush() != nil {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-down:
			return
		}
	}
}

// streams are the streams that are open, and the servers that they run on. A
// server that is shut down waits for what it serves, and a stream has no end:
// it has to be told.
type streams struct {
	mu      sync.Mutex
	open    int
	servers map[weak.Pointer[http.Server]]chan struct{}
}

// enter counts a stream in. The channel is closed when its server is shut down.
func (s *streams) enter(r *http.Request) (down <-chan struct{}, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == maxStreams {
		return nil, nil, false
	}
	s.open++
	leave = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server == nil {
		return nil, leave, true
	}
	key := weak.Make(server)
	c, known := s.servers[key]
	if !known {
		if s.servers == nil {
			s.servers = make(map[weak.Pointer[http.Server]]chan struct{})
		}
		c = make(chan struct{})
		s.servers[key] = c
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(c) }))
		// Not before: what a server still serves that was shut down has to find
		// its channel.
		runtime.AddCleanup(server, s.forget, key)
	}
	return c, leave, true
}

// forget lets go of a server that is no more.
func (s *streams) forget(key weak.Pointer[http.Server]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.servers, key)
}
