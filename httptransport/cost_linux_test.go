package httptransport_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/mallocs"
	"github.com/multipath-go/mptcp/transport"
)

// conn returns a Multipath TCP connection over which something was sent.
func conn(t testing.TB) net.Conn {
	t.Helper()
	l := listen(t, transport.Prefer)
	defer l.Close()
	c, err := new(transport.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	for _, x := range [][2]net.Conn{{c, a}, {a, c}} {
		x[0].Write([]byte("x"))
		if _, err := x[1].Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestFromRequestDoesNotAllocate(t *testing.T) {
	c := conn(t)
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.LocalAddr()))
	n := testing.AllocsPerRun(1000, func() {
		if s, err := httptransport.FromRequest(r); err != nil || s.State != mptcp.Multipath {
			t.Fatal(s, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// stub is a base that does nothing but what net/http does with hooks.
func stub(c net.Conn) http.RoundTripper {
	response := &http.Response{StatusCode: 200, Body: http.NoBody}
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
			trace.GotConn(httptrace.GotConnInfo{Conn: c})
		}
		response.Request = r
		return response, nil
	})
}

func TestRoundTripperAllocations(t *testing.T) {
	base := stub(conn(t))
	r := httptest.NewRequest("GET", "http://x/", nil)
	count := func(rt http.RoundTripper) float64 {
		return testing.AllocsPerRun(1000, func() {
			if _, err := rt.RoundTrip(r); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := count(httptransport.RoundTripper(base)) - count(base); n > 4 {
		t.Errorf("%v allocations, the documentation says 4", n)
	}
	if n := count(httptransport.ReportingRoundTripper(base, func(context.Context, httptransport.Report) {})) - count(base); n > 4 {
		t.Errorf("%v allocations with a Reporter", n)
	}
	response, _ := httptransport.RoundTripper(base).RoundTrip(r)
	if n := testing.AllocsPerRun(1000, func() { httptransport.FromResponse(response) }); n != 0 {
		t.Errorf("%v allocations for FromResponse", n)
	}
}

func TestHandlerAllocations(t *testing.T) {
	c := conn(t)
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	// As in net/http, each request has a context of its own that is new.
	parent := context.WithValue(t.Context(), http.LocalAddrContextKey, c.LocalAddr())
	run := func(major, n int, h http.Handler) float64 {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.ProtoMajor = major
		return mallocs.Mean(n, func() {
			ctx, cancel := context.WithCancel(parent)
			h.ServeHTTP(w, r.WithContext(ctx))
			cancel()
		})
	}
	count := func(major int, report httptransport.Reporter) float64 {
		return run(major, 1000, httptransport.Handler(next, report)) - run(major, 1000, next)
	}
	report := func(context.Context, httptransport.Report) {}
	// The race detector has pools drop a quarter of what they are given, which is
	// three allocations here.
	if n := count(1, nil); n >= 1 {
		t.Errorf("%v allocations for HTTP/1", n)
	}
	if n := count(2, nil); n >= 0.5 {
		t.Errorf("%v allocations for HTTP/2", n)
	}
	slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(150 * time.Millisecond) })
	took := run(1, 10, httptransport.Handler(slow, nil)) - run(1, 10, slow)
	if took > 12 {
		t.Errorf("%v allocations for a slow handler, the documentation says 12", took)
	}
	t.Logf("HTTP/1 %v, HTTP/2 %v, with a Reporter %v and %v, slow %v", count(1, nil), count(2, nil), count(1, report), count(2, report), took)
}

func BenchmarkRoundTripper(b *testing.B) {
	base := stub(conn(b))
	r := httptest.NewRequest("GET", "http://x/", nil)
	for name, rt := range map[string]http.RoundTripper{
		"bare":     base,
		"status":   httptransport.RoundTripper(base),
		"reporter": httptransport.ReportingRoundTripper(base, func(context.Context, httptransport.Report) {}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rt.RoundTrip(r)
			}
		})
	}
}

func BenchmarkHandler(b *testing.B) {
	c := conn(b)
	r := httptest.NewRequest("GET", "/", nil)
	ctx, cancel := context.WithCancel(context.WithValue(b.Context(), http.LocalAddrContextKey, c.LocalAddr()))
	defer cancel()
	r = r.WithContext(ctx)
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	w := httptest.NewRecorder()
	for name, h := range map[string]http.Handler{
		"bare":     next,
		"handler":  httptransport.Handler(next, nil),
		"reporter": httptransport.Handler(next, func(context.Context, httptransport.Report) {}),
		"status":   http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { httptransport.FromRequest(r) }),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkRequest is a whole request over loopback: with package net alone,
// with TCP, and with all of this package on both sides.
func BenchmarkRequest(b *testing.B) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	run := func(name string, l net.Listener, h http.Handler, rt http.RoundTripper) {
		b.Run(name, func(b *testing.B) {
			s := serve(b, protocols[0], l, h)
			b.ReportAllocs()
			for b.Loop() {
				get(b, rt, s.URL)
			}
		})
	}
	stock := http.DefaultTransport.(*http.Transport).Clone()
	defer stock.CloseIdleConnections()
	ours, _ := client(b, protocols[0])
	run("net", listen(b, transport.Off), hello, stock)
	run("tcp", listen(b, transport.Off), httptransport.Handler(hello, nil), httptransport.RoundTripper(ours))
	run("mptcp", listen(b, transport.Prefer), httptransport.Handler(hello, nil), httptransport.RoundTripper(ours))
}

// Nothing is left behind: no goroutine, no descriptor, no entry in the table.
func TestLeaks(t *testing.T) {
	fds := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	settle := func(what string, want int, get func() int) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for n := get(); n > want; n = get() {
			if time.Now().After(deadline) {
				t.Errorf("%d %s, %d before", n, what, want)
				return
			}
			runtime.GC()
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
			time.Sleep(5 * time.Millisecond)
		}
	}
	settle("table entries", 0, conntable.Len)
	goroutines, files := runtime.NumGoroutine(), fds()
	for _, p := range protocols {
		func() {
			s := serve(t, p, nil, httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/panic") {
					panic(http.ErrAbortHandler)
				}
				tell(w, r)
			}), func(context.Context, httptransport.Report) {}), func(s *httptest.Server) { s.Config.ErrorLog = discard })
			defer s.Close()
			tr, _ := client(t, p, s)
			defer tr.CloseIdleConnections()
			rt := httptransport.ReportingRoundTripper(tr, func(context.Context, httptransport.Report) {})
			for i := range 100 {
				switch i % 4 {
				case 0:
					get(t, rt, s.URL)
				case 1:
					if _, err := (&http.Client{Transport: rt}).Get(s.URL + "/panic"); err == nil {
						t.Error("no error")
					}
				case 2: // the body is not read
					if response, err := (&http.Client{Transport: rt}).Get(s.URL); err == nil {
						response.Body.Close()
					}
				case 3: // cancelled
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
					r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
					if response, err := rt.RoundTrip(r); err == nil {
						io.Copy(io.Discard, response.Body)
						response.Body.Close()
					}
					cancel()
				}
			}
		}()
	}
	settle("goroutines", goroutines, runtime.NumGoroutine)
	settle("files", files, fds)
	settle("table entries", 0, conntable.Len)
}
