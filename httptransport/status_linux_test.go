package httptransport_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// Both ends tell the truth in every protocol, over Multipath TCP and over TCP,
// for new connections and for reused ones. The address by which they find the
// connection is the very pointer that the connection returns: Go does not
// promise that it is passed on, so each path is pinned here.
func TestStatus(t *testing.T) {
	for _, p := range protocols {
		for _, mode := range []transport.Mode{transport.Prefer, transport.Off} {
			t.Run(p.name+"/"+mode.String(), func(t *testing.T) {
				var accepted, handled net.Addr
				handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					handled, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
					if r.ProtoMajor != p.major || (r.TLS != nil) != p.tls {
						t.Errorf("request is %s, TLS %v", r.Proto, r.TLS != nil)
					}
					tell(w, r)
				})
				s := serve(t, p, listen(t, mode), httptransport.SendStatus(handler), func(s *httptest.Server) {
					s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
						accepted = c.LocalAddr()
						return ctx
					}
				})
				tr, made := client(t, p, s)
				var reported net.Addr
				rt := httptransport.ReportingRoundTripper(tr, func(_ context.Context, r httptransport.Report) { reported = r.LocalAddr })

				state, reason, seen := mptcp.Multipath, mptcp.ReasonUnknown, "multipath"
				if mode == transport.Off {
					state, reason, seen = mptcp.Fallback, mptcp.ReasonNotAnswered, "tcp (not-requested)"
				}
				for range 3 {
					response, body := get(t, rt, s.URL)
					if response.ProtoMajor != p.major {
						t.Errorf("response is %s", response.Proto)
					}
					check(t, response, state, reason)
					if body != seen {
						t.Errorf("the server saw %q, want %q", body, seen)
					}
					if st, ok := httptransport.FromHeader(response.Header); !ok || st.String() != seen || st.Confirmed != (mode == transport.Prefer) {
						t.Errorf("FromHeader = %v, %v", st, ok)
					}
					if accepted != handled {
						t.Errorf("LocalAddrContextKey is %p, the connection's LocalAddr %p", handled, accepted)
					}
					if reported != made.last() {
						t.Errorf("reported LocalAddr %p, the connection's is %p", reported, made.last())
					}
				}
				if n := made.count(); n != 1 {
					t.Errorf("%d connections for 3 requests", n)
				}
			})
		}
	}
}

// A status is confirmed once a response has arrived.
func TestConfirmed(t *testing.T) {
	s := serve(t, protocols[0], nil, http.HandlerFunc(tell))
	response, _ := get(t, httptransport.RoundTripper(nil), s.URL)
	if st, err := httptransport.FromResponse(response); err != nil || !st.Confirmed {
		t.Errorf("status %v, confirmed %v, error %v", st, st.Confirmed, err)
	}
}

// Connections that others made: a listener of package net cannot be asked, a
// client's connection can.
func TestForeign(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, protocols[0], l, http.HandlerFunc(tell))
	if response, body := get(t, httptransport.RoundTripper(nil), s.URL); body != mptcp.ErrUntracked.Error() {
		t.Errorf("the server saw %q", body)
	} else {
		check(t, response, mptcp.Multipath, 0) // package net listens with Multipath TCP
	}

	for _, multipath := range []bool{false, true} {
		d := new(net.Dialer)
		d.SetMultipathTCP(multipath)
		base := &http.Transport{DialContext: d.DialContext}
		defer base.CloseIdleConnections()
		response, _ := get(t, httptransport.RoundTripper(base), s.URL)
		want := mptcp.TCP
		if multipath {
			want = mptcp.Multipath
		}
		if st, err := httptransport.FromResponse(response); err != nil || st.State != want {
			t.Errorf("SetMultipathTCP(%v): %v, %v", multipath, st, err)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := transport.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, protocols[0], l, http.HandlerFunc(tell))
	defer s.Close()
	tr := httptransport.New(nil)
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", path) }
	defer tr.CloseIdleConnections()
	response, body := get(t, httptransport.RoundTripper(tr), "http://unix/")
	if _, err := httptransport.FromResponse(response); err != mptcp.ErrNotTCP {
		t.Errorf("FromResponse: %v", err)
	}
	if body != mptcp.ErrNotTCP.Error() {
		t.Errorf("FromRequest: %v", body)
	}
}

func TestHijacked(t *testing.T) {
	for _, p := range protocols[:2] {
		t.Run(p.name, func(t *testing.T) {
			h := httptransport.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				st, err := httptransport.FromRequest(r)
				fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n%v %v\n", st, err)
				rw.Flush()
				line, _ := rw.ReadString('\n')
				io.WriteString(rw, line)
				rw.Flush()
			}), nil)
			s := serve(t, p, nil, h)
			tr, _ := client(t, p, s)
			reports := make(chan httptransport.Report, 1)
			rt := httptransport.ReportingRoundTripper(tr, func(_ context.Context, r httptransport.Report) { reports <- r })
			request, _ := http.NewRequest("GET", s.URL, nil)
			request.Header.Set("Connection", "upgrade")
			request.Header.Set("Upgrade", "x")
			response, err := rt.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			check(t, response, mptcp.Multipath, 0)
			rw, ok := response.Body.(io.ReadWriteCloser)
			if !ok {
				t.Fatalf("the body, a %T, cannot be written to", response.Body)
			}
			b := bufio.NewReader(rw)
			if line, _ := b.ReadString('\n'); line != "multipath <nil>\n" {
				t.Errorf("the server saw %q", line)
			}
			io.WriteString(rw, "echo\n")
			if line, _ := b.ReadString('\n'); line != "echo\n" {
				t.Errorf("echo %q", line)
			}
			check(t, response, mptcp.Multipath, 0)
			rw.Close()
			if r := <-reports; r.StatusCode != 101 || r.Status.State != mptcp.Multipath {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// A reverse proxy knows about both of its connections.
func TestReverseProxy(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			backend := serve(t, p, listen(t, transport.Off), httptransport.SendStatus(http.HandlerFunc(tell)))
			tr, _ := client(t, p, backend)
			target, _ := url.Parse(backend.URL)
			var front, back string
			proxy := &httputil.ReverseProxy{
				Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
				Transport: httptransport.RoundTripper(tr),
				ModifyResponse: func(response *http.Response) error {
					st, err := httptransport.FromResponse(response)
					back = fmt.Sprint(st, err)
					st, err = httptransport.FromRequest(response.Request)
					front = fmt.Sprint(st, err)
					return nil
				},
			}
			s := serve(t, p, nil, httptransport.Handler(httptransport.SendStatus(proxy), nil))
			ours, _ := client(t, p, s)
			response, body := get(t, httptransport.RoundTripper(ours), s.URL)
			check(t, response, mptcp.Multipath, 0)
			if front != "multipath <nil>" || back != "fallback (not-answered) <nil>" || body != "tcp (not-requested)" {
				t.Errorf("front %s, back %s, backend %s", front, back, body)
			}
			if st, _ := httptransport.FromHeader(response.Header); st.State != mptcp.Multipath {
				t.Errorf("FromHeader = %v: not the proxy's own", st)
			}
		})
	}
}

// Each hop of a redirect has its own connection.
func TestRedirect(t *testing.T) {
	last := serve(t, protocols[0], listen(t, transport.Off), http.HandlerFunc(tell))
	first := serve(t, protocols[0], nil, http.RedirectHandler(last.URL, http.StatusFound))
	response, _ := get(t, httptransport.RoundTripper(nil), first.URL)
	check(t, response, mptcp.Fallback, mptcp.ReasonNotAnswered)
	check(t, response.Request.Response, mptcp.Multipath, 0)
}

// If a request is retried on another connection, that one counts.
func TestRetry(t *testing.T) {
	l := listen(t, transport.Prefer)
	defer l.Close()
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := bufio.NewReader(c)
				for i := 0; ; i++ {
					r, err := http.ReadRequest(b)
					if err != nil || n == 0 && i == 1 {
						return // the first connection dies on its second request
					}
					_ = r
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", n)
				}
			}()
		}
	}()
	tr, made := client(t, protocols[0])
	var reported net.Addr
	rt := httptransport.ReportingRoundTripper(tr, func(_ context.Context, r httptransport.Report) { reported = r.LocalAddr })
	url := "http://" + l.Addr().String()
	for _, want := range []string{"0", "1"} {
		response, body := get(t, rt, url)
		if body != want {
			t.Fatalf("connection %s answered, want %s", body, want)
		}
		check(t, response, mptcp.Multipath, 0)
		if reported != made.last() {
			t.Errorf("reported %v, last dialed %v", reported, made.last())
		}
	}
}

// The last status of a closed connection is kept, even when the table has
// forgotten the connection.
func TestAfterClose(t *testing.T) {
	s := serve(t, protocols[0], nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		tell(w, r)
	}))
	for name, report := range map[string]httptransport.Reporter{"plain": nil, "reporting": func(context.Context, httptransport.Report) {}} {
		t.Run(name, func(t *testing.T) {
			tr, made := client(t, protocols[0])
			response, _ := get(t, httptransport.ReportingRoundTripper(tr, report), s.URL)
			response.Body = nil // it refers to the connection
			local, deadline := made.last(), time.Now().Add(10*time.Second)
			for gone := false; ; gone = transport.Lookup(local) == nil {
				st, err := httptransport.FromResponse(response)
				if st.State != mptcp.Multipath {
					t.Fatalf("status %v, %v (collected: %v)", st, err, gone)
				}
				closed := errors.Is(err, net.ErrClosed)
				if closed && gone {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("error %v (collected, and out of the table: %v)", err, gone)
				}
				if closed {
					runtime.GC()
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// The caller's own hooks go on working, and a context that has been through
// here once can be used for other requests.
func TestTraces(t *testing.T) {
	multipath := serve(t, protocols[0], nil, http.HandlerFunc(tell))
	plain := serve(t, protocols[0], listen(t, transport.Off), http.HandlerFunc(tell))
	tr, _ := client(t, protocols[0])
	rt := httptransport.RoundTripper(httptransport.RoundTripper(tr))

	var got int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got++ }})
	request, _ := http.NewRequestWithContext(ctx, "GET", multipath.URL, nil)
	first, err := rt.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, first.Body)
	first.Body.Close()
	if got != 1 {
		t.Errorf("the caller's hook was called %d times", got)
	}

	request, _ = http.NewRequestWithContext(first.Request.Context(), "GET", plain.URL, nil)
	second, err := rt.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, second.Body)
	second.Body.Close()
	check(t, first, mptcp.Multipath, 0)
	check(t, second, mptcp.Fallback, mptcp.ReasonNotAnswered)
}

func TestNoConnection(t *testing.T) {
	for _, response := range []*http.Response{nil, {}, {Request: httptest.NewRequest("GET", "/", strings.NewReader(""))}} {
		if s, err := httptransport.FromResponse(response); !errors.Is(err, httptransport.ErrNoConnection) || s.State != mptcp.Unknown {
			t.Errorf("FromResponse = %v, %v", s, err)
		}
	}
	if _, err := httptransport.FromRequest(httptest.NewRequest("GET", "/", nil)); err != httptransport.ErrNoConnection {
		t.Errorf("FromRequest: %v", err)
	}
	cached := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})
	response, err := httptransport.RoundTripper(cached).RoundTrip(httptest.NewRequest("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := httptransport.FromResponse(response); err != httptransport.ErrNoConnection {
		t.Errorf("FromResponse out of a cache: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
