package mptcpz

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/transport"
)

// streamOf opens a stream and returns its states.
func streamOf(ctx context.Context, t *testing.T, url string) (next func() (state, bool)) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %s", answer.Status, body(t, answer))
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 10<<20)
	return func() (s state, ok bool) {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &s); err != nil {
					t.Fatal(err)
				}
				return s, true
			}
		}
		return s, false
	}
}

// goroutines counts those that serve a stream. There are no others of this
// package.
func goroutines() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "mptcpz.(*handler).stream(")
}

func TestStream(t *testing.T) {
	client, server := pair(t, transport.Prefer)
	h := Handler(nil).(*handler)
	srv := httptest.NewServer(h)
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := streamOf(ctx, t, srv.URL+"/events")
	b := streamOf(ctx, t, srv.URL+"/events?state=multipath&size=1")
	first, _ := a()
	if n := goroutines(); n != 2 {
		t.Errorf("%d goroutines serve two viewers", n)
	}
	other, _ := b()
	if first.Seq != 1 || other.Seq != 1 || first.Interval != 0 {
		t.Errorf("two viewers have samples %d and %d, want one and the same", first.Seq, other.Seq)
	}
	talk(t, client, server, 1_000_000)
	late, _ := pair(t, transport.Prefer)
	second, ok := a()
	if !ok || second.Seq != 2 || second.Interval < 0.8 || second.Interval > 5 || second.Summary.SentRate <= 0 {
		t.Errorf("%+v", second.Summary)
	}
	id := transport.Lookup(late.LocalAddr()).ID()
	if !slices.ContainsFunc(second.Events, func(e event) bool { return e.Kind == "opened" && e.Connection == id }) {
		t.Errorf("no event of #%d: %v", id, second.Events)
	}
	if third, _ := a(); slices.ContainsFunc(third.Events, func(e event) bool { return e.Connection == id }) {
		t.Errorf("the same event again: %v", third.Events)
	}
	moved := false
	for _, c := range second.Counters {
		moved = moved || c.Name == "MPCapableSYNTX" && c.Moved > 0
	}
	if !moved {
		t.Error("the counters have not moved")
	}
	cancel()
	for deadline := time.Now().Add(5 * time.Second); goroutines() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left", goroutines())
		}
	}
	h.streams.mu.Lock()
	defer h.streams.mu.Unlock()
	if h.streams.open != 0 {
		t.Errorf("%d streams are counted", h.streams.open)
	}
}

// TestShutdown: a stream does not hold up the end of its server.
func TestShutdown(t *testing.T) {
	srv := httptest.NewServer(Handler(nil))
	defer srv.Close()
	next := streamOf(t.Context(), t, srv.URL+"/events")
	if _, ok := next(); !ok {
		t.Fatal("no state")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	start := time.Now()
	if err := srv.Config.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, ok := next(); ok {
		t.Error("the stream goes on")
	}
}

// TestServersGone: nothing is left of servers that are no more, whether they
// were shut down or not.
func TestServersGone(t *testing.T) {
	h := Handler(nil).(*handler)
	for n := range 6 {
		srv := &http.Server{}
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.ServerContextKey, srv), "GET", "/events", nil)
		down, leave, ok := h.streams.enter(r)
		if !ok {
			t.Fatal("no stream")
		}
		if n%2 == 0 {
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-down
			if again, leave, _ := h.streams.enter(r); again != down {
				t.Error("a server that is shut down has another channel")
			} else {
				leave()
			}
		}
		leave()
	}
	known := func() int {
		h.streams.mu.Lock()
		defer h.streams.mu.Unlock()
		return len(h.streams.servers)
	}
	for end := time.Now().Add(10 * time.Second); known() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d servers are known", known())
		}
		runtime.GC()
	}
}

// TestWriteTimeout: the server's limit for an answer does not end a stream.
func TestWriteTimeout(t *testing.T) {
	srv := httptest.NewUnstartedServer(Handler(nil))
	srv.Config.WriteTimeout = 500 * time.Millisecond
	srv.Start()
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	next := streamOf(ctx, t, srv.URL+"/events")
	for i := range 3 {
		if _, ok := next(); !ok {
			t.Fatalf("ended after %d states", i)
		}
	}
}

func TestTooManyStreams(t *testing.T) {
	h := Handler(nil).(*handler)
	h.streams.open = maxStreams
	if r := get(h, "/events", nil); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body(t, r), "state.json") {
		t.Error(r.Status)
	}
}

// A stiff writer is one that cannot be flushed, as some middleware makes it.
type stiff struct{ http.ResponseWriter }

func TestNoStream(t *testing.T) {
	h := Handler(nil)
	r := get(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(stiff{w}, r) }), "/events", nil)
	if text := body(t, r); r.StatusCode != http.StatusNotImplemented || !strings.Contains(text, "state.json") {
		t.Errorf("%s, %s", r.Status, text)
	}
}
