package httptransport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
)

// reports collects reports.
type reports struct {
	sync.Mutex
	list []httptransport.Report
}

func (r *reports) add(_ context.Context, report httptransport.Report) {
	r.Lock()
	defer r.Unlock()
	r.list = append(r.list, report)
}

// take waits for n reports and returns them.
func (r *reports) take(t *testing.T, n int) []httptransport.Report {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.Lock()
		list := r.list
		if len(list) >= n {
			r.list = nil
			r.Unlock()
			if len(list) > n {
				t.Errorf("%d reports, want %d", len(list), n)
			}
			return list
		}
		r.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("%d reports, want %d", len(list), n)
		}
	}
}

var errHandler = errors.New("handler's own")

// Both sides report each request once, when it ends.
func TestReports(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ok/{id}", tell)
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		time.Sleep(50 * time.Millisecond)
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(errHandler) })
	mux.HandleFunc("/word", func(http.ResponseWriter, *http.Request) { panic("word") })
	mux.HandleFunc("/abort", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	tests := []struct {
		method, path, pattern string
		code                  int
		clientErr             bool
		serverErr             string
	}{
		{"GET", "/ok/1", "GET /ok/{id}", 200, false, ""},
		{"HEAD", "/ok/1", "GET /ok/{id}", 200, false, ""},
		{"POST", "/empty", "/empty", 204, false, ""},
		{"", "/slow", "/slow", 200, false, ""},
		{"GET", "/missing", "", 404, false, ""},
		{"POST", "/panic", "/panic", 0, true, errHandler.Error()},
		{"POST", "/word", "/word", 0, true, "panic: word"},
		{"GET", "/abort", "/abort", 200, true, http.ErrAbortHandler.Error()},
	}
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			var ours, theirs reports
			s := serve(t, p, nil, httptransport.Handler(mux, theirs.add), func(s *httptest.Server) {
				s.Config.ErrorLog = discard
			})
			tr, _ := client(t, p, s)
			rt := httptransport.ReportingRoundTripper(tr, ours.add)
			for _, tt := range tests {
				request, _ := http.NewRequest(tt.method, s.URL+tt.path, nil)
				request.Method = tt.method
				if response, err := rt.RoundTrip(request); err == nil {
					if n := len(ours.list); n > 0 && response.Body != http.NoBody {
						t.Errorf("%s: reported before the end", tt.path)
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				c, sv := ours.take(t, 1)[0], theirs.take(t, 1)[0]
				method := tt.method
				if method == "" {
					method = "GET"
				}
				host := strings.TrimPrefix(strings.TrimPrefix(s.URL, "https://"), "http://")
				if c.Side != httptransport.Client || c.Method != method || c.Host != host || c.StatusCode != tt.code || (c.Err != nil) != tt.clientErr {
					t.Errorf("%s: client reports %+v", tt.path, c)
				}
				if sv.Side != httptransport.Server || sv.Method != method || sv.Host != host || sv.Pattern != tt.pattern {
					t.Errorf("%s: server reports %+v", tt.path, sv)
				}
				if text := ""; sv.Err != nil || tt.serverErr != "" {
					if sv.Err != nil {
						text = sv.Err.Error()
					}
					if text != tt.serverErr {
						t.Errorf("%s: server reports error %q, want %q", tt.path, text, tt.serverErr)
					}
				}
				if c.Status.State != mptcp.Multipath || sv.Status.State != mptcp.Multipath {
					t.Errorf("%s: client %v (%v), server %v (%v)", tt.path, c.Status, c.StatusErr, sv.Status, sv.StatusErr)
				}
				if tt.path == "/slow" && (c.Duration < 50*time.Millisecond || sv.Duration < 50*time.Millisecond) {
					t.Errorf("durations %v and %v", c.Duration, sv.Duration)
				}
			}
		})
	}
}

// A request without a connection is reported as such.
func TestReportRefused(t *testing.T) {
	l := listen(t, 0)
	l.Close()
	var ours reports
	rt := httptransport.ReportingRoundTripper(nil, ours.add)
	if _, err := rt.RoundTrip(httptest.NewRequest("GET", "http://"+l.Addr().String(), nil)); err == nil {
		t.Fatal("no error")
	}
	r := ours.take(t, 1)[0]
	if r.Err == nil || r.StatusErr != httptransport.ErrNoConnection || r.Status.State != mptcp.Unknown || r.LocalAddr != nil {
		t.Errorf("report %+v", r)
	}
}

// A handler that ends its goroutine is reported too.
func TestReportGoexit(t *testing.T) {
	var theirs reports
	h := httptransport.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() }), theirs.add)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	<-done
	if r := theirs.take(t, 1)[0]; r.Err == nil || r.StatusErr != httptransport.ErrNoConnection {
		t.Errorf("report %+v", r)
	}
}

func TestSideText(t *testing.T) {
	for side, want := range map[httptransport.Side]string{httptransport.Client: "client", httptransport.Server: "server"} {
		if b, err := side.MarshalText(); string(b) != want || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	}
}
