package httptransport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// pace is the time between two lines of writer. What a client has not read when it
// closes resets the connection, and the next write fails: a busy machine has to get
// from reading a line to closing before there is another.
const pace = 100 * time.Millisecond

// writer is a handler that writes until a write fails, and ignores the
// request's context. It gives up by itself after a while, and reports how long
// it went on.
func writer(patience time.Duration, ended chan<- time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, start := http.NewResponseController(w), time.Now()
		for time.Since(start) < patience {
			if _, err := io.WriteString(w, "line\n"); err != nil {
				break
			}
			if err := c.Flush(); err != nil {
				break
			}
			time.Sleep(pace)
		}
		ended <- time.Since(start)
	})
}

// leave sends a request, reads lines of the answer for a while, one at least, and
// closes the connection.
func leave(t *testing.T, rt http.RoundTripper, url, body string, after time.Duration) {
	t.Helper()
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := rt.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	check(t, response, mptcp.Multipath, 0)
	lines := bufio.NewReader(response.Body)
	for start, once := time.Now(), true; once || time.Since(start) < after; once = false {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Error(err)
			break
		}
	}
	response.Body.Close()
}

// A handler that only waits for a write to fail ends soon after its client has
// gone, in every protocol and whether or not it has read the request's body. Soon
// is within a second; what is held is a tenth of the 60 s that it would take.
func TestClientGone(t *testing.T) {
	for _, p := range protocols {
		for name, after := range map[string]time.Duration{"at once": 0, "later": 300 * time.Millisecond} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				ended := make(chan time.Duration, 1)
				reported := make(chan httptransport.Report, 1)
				s := serve(t, p, nil, httptransport.Handler(writer(20*time.Second, ended), func(_ context.Context, r httptransport.Report) {
					reported <- r
				}))
				tr, _ := client(t, p, s)
				leave(t, httptransport.RoundTripper(tr), s.URL, "body", after)
				if d := <-ended; d > 6*time.Second {
					t.Errorf("the handler went on for %v", d)
				}
				// By then the kernel may have taken the last subflow off the connection.
				r := <-reported
				without := r.Status.State == mptcp.Unknown && r.Status.Reason == mptcp.ReasonNoSubflow
				if r.Err == nil || r.Status.State != mptcp.Multipath && !without {
					t.Errorf("report %+v", r)
				}
			})
		}
	}
}

// Handlers that return just when they begin to be watched, and others on the same
// connections after them, are not disturbed.
func TestJustQuick(t *testing.T) {
	t.Parallel()
	s := serve(t, protocols[0], nil, httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d, err := time.ParseDuration(r.URL.Query().Get("take")); err == nil {
			time.Sleep(d)
		}
		tell(w, r)
	}), nil))
	tr, _ := client(t, protocols[0], s)
	ask := func(take time.Duration) {
		response, err := (&http.Client{Transport: tr}).Get(s.URL + "/?take=" + take.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		if b, err := io.ReadAll(response.Body); string(b) != "multipath" || err != nil {
			t.Errorf("after %v: %q, %v", take, b, err)
		}
	}
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 10 {
				ask(99*time.Millisecond + time.Duration(n*10+i)*10*time.Microsecond)
				ask(0)
			}
		})
	}
	wg.Wait()
	ask(700 * time.Millisecond)
}

// What Handler is for: net/http alone lets the same handler go on. If this
// fails because the handler has ended, Linux has changed for the better.
func TestClientGoneUnbounded(t *testing.T) {
	t.Parallel()
	ended := make(chan time.Duration, 1)
	s := serve(t, protocols[0], nil, writer(2*time.Second, ended))
	tr, _ := client(t, protocols[0])
	leave(t, httptransport.RoundTripper(tr), s.URL, "", 0)
	if d := <-ended; d < 2*time.Second {
		t.Errorf("the handler ended after %v without help", d)
	}
}

// A client that has only finished sending gets its answer.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, protocols[0], nil, httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // net/http takes the client for gone
		time.Sleep(100 * time.Millisecond)
		tell(w, r)
	}), nil))
	c, err := new(transport.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(response.Body); string(b) != "multipath" || err != nil {
		t.Errorf("answer %q, %v", b, err)
	}
}

// A context that was cancelled for another reason than a client that has gone
// does not stop the answer, and does not spoil the connection.
func TestCancelledByOthers(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			h := httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					<-r.Context().Done()
					time.Sleep(700 * time.Millisecond)
				}
				tell(w, r)
			}), nil)
			timeout := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
				defer cancel()
				h.ServeHTTP(w, r.WithContext(ctx))
			})
			s := serve(t, p, nil, timeout)
			tr, made := client(t, p, s)
			for _, path := range []string{"/", "/slow", "/", "/"} {
				if _, body := get(t, tr, s.URL+path); body != "multipath" {
					t.Errorf("%s: %q", path, body)
				}
			}
			if n := made.count(); n != 1 {
				t.Errorf("%d connections for 4 requests", n)
			}
		})
	}
}

// A hijacked connection belongs to the handler: a peer that has finished
// sending may still be read to, for as long as it takes.
func TestHijackedHalfClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, protocols[0], nil, httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.ReadAll(rw)
		for range 8 {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(c, "x"); err != nil {
				t.Error(err)
			}
		}
	}), nil))
	for _, request := range []string{
		"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	} {
		c, err := new(transport.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, request)
		time.Sleep(50 * time.Millisecond)
		c.(*net.TCPConn).CloseWrite()
		if b, err := io.ReadAll(c); string(b) != "xxxxxxxx" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	}
}

// The handler gets what net/http made, not something around it.
func TestNotWrapped(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			var outer, inner http.ResponseWriter
			h := httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner = w }), func(context.Context, httptransport.Report) {})
			s := serve(t, p, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				outer = w
				h.ServeHTTP(w, r)
			}), func(s *httptest.Server) {
				s.Config.ConnState = func(c net.Conn, _ http.ConnState) {
					if tc, ok := c.(*tls.Conn); ok {
						c = tc.NetConn()
					}
					if _, ok := c.(*net.TCPConn); !ok {
						t.Errorf("the connection is a %T", c)
					}
				}
			})
			tr, _ := client(t, p, s)
			get(t, tr, s.URL)
			if outer != inner {
				t.Errorf("handler got a %T", inner)
			}
		})
	}
}
