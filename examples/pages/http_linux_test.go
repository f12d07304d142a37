package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

func httpClient() *http.Client {
	base := httptransport.New(&transport.Dialer{UserTimeout: 20 * time.Second})
	base.MaxIdleConnsPerHost = 10
	return &http.Client{Transport: httptransport.RoundTripper(base)}
}

func askResponse(client *http.Client, address string) (mptcp.Status, error) {
	response, err := client.Get(address)
	if err != nil {
		return mptcp.Status{}, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return mptcp.Status{}, err
	}
	return httptransport.FromResponse(response)
}

// serveHTTP serves until ctx is done, and then lets requests end.
func serveHTTP(ctx context.Context, address string, mux *http.ServeMux, ready func(net.Addr)) error {
	lc := transport.ListenConfig{UserTimeout: 20 * time.Second}
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: httptransport.Handler(mux, nil), ReadHeaderTimeout: 10 * time.Second}
	ready(listener.Addr())
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := listener.(*transport.Listener).Drain(ctx); err != nil {
		return err
	}
	return server.Shutdown(ctx)
}

// logged says for each request what carried it.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, err := httptransport.FromRequest(r); err == nil {
			w.Header().Set("X-Carried-By", status.String())
		}
		next.ServeHTTP(w, r)
	})
}

// gateway passes on what comes by Multipath TCP to a server that knows only TCP.
func gateway(backend *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.SetXForwarded()
		},
		Transport: http.DefaultTransport, // or httptransport.New(nil), for Multipath TCP on this side as well
	}
}

func TestHTTPPage(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mux := http.NewServeMux()
	mux.Handle("/", logged(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })))
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- serveHTTP(ctx, "127.0.0.1:0", mux, func(a net.Addr) { listening <- a }) }()
	address := "http://" + (<-listening).String()

	client := httpClient()
	defer client.CloseIdleConnections()
	if s, err := askResponse(client, address); err != nil || s.State != mptcp.Multipath {
		t.Errorf("the client sees %v, %v", s, err)
	}
	response, err := client.Get(address)
	check(t, err)
	response.Body.Close()
	if got := response.Header.Get("X-Carried-By"); got != "multipath" {
		t.Errorf("the server sees %q", got)
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestGateway(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-For"))
	}))
	defer backend.Close()
	u, err := url.Parse(backend.URL)
	check(t, err)
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	server := &http.Server{Handler: logged(gateway(u))}
	go server.Serve(ln)
	defer server.Close()
	response, err := http.Get("http://" + ln.Addr().String())
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	if string(body) != "127.0.0.1" || response.Header.Get("X-Carried-By") != "tcp (not-offered)" {
		t.Errorf("%s, %v", body, response.Header)
	}
	client := httpClient()
	defer client.CloseIdleConnections()
	if s, err := askResponse(client, "http://"+ln.Addr().String()); err != nil || s.State != mptcp.Multipath {
		t.Errorf("the client sees %v, %v", s, err)
	}
}
