package httptransport_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
)

// free returns an address on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await returns once somebody listens at address. A Multipath TCP dial before
// that might be refused and a TCP dial after it succeed: a fallback.
func await(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// One server may listen twice, with TLS and without. The bound on handlers is
// in place, and Shutdown ends both as it does in net/http.
func TestListenAndServe(t *testing.T) {
	certified := httptest.NewUnstartedServer(nil) // for its certificate
	certified.StartTLS()
	defer certified.Close()

	ended := make(chan time.Duration, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/", tell)
	mux.Handle("/write", writer(20*time.Second, ended))
	s := &http.Server{
		Handler:   mux,
		TLSConfig: &tls.Config{Certificates: certified.TLS.Certificates},
	}
	results := make(chan error, 2)
	// With TLS first: net/http sets HTTP/2 up for the first of the two alone.
	s.Addr = free(t)
	secure := s.Addr
	go func() { results <- httptransport.ListenAndServeTLS(s, "", "") }()
	tr2, _ := client(t, protocols[3], certified)
	tr2.TLSClientConfig.ServerName = "example.com"
	await(t, secure)
	response, body := get(t, httptransport.RoundTripper(tr2), "https://"+secure)
	check(t, response, mptcp.Multipath, 0)
	if body != "multipath" || response.ProtoMajor != 2 {
		t.Errorf("over %s the server saw %s", response.Proto, body)
	}

	s.Addr = free(t)
	plain := s.Addr
	go func() { results <- httptransport.ListenAndServe(s) }()
	tr, _ := client(t, protocols[0])
	await(t, plain)
	response, body = get(t, httptransport.RoundTripper(tr), "http://"+plain)
	check(t, response, mptcp.Multipath, 0)
	if body != "multipath" {
		t.Errorf("the server saw %s", body)
	}

	leave(t, httptransport.RoundTripper(tr), "http://"+plain+"/write", "", 0)
	if d := <-ended; d > 6*time.Second {
		t.Errorf("the handler went on for %v", d)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-results; err != http.ErrServerClosed {
			t.Errorf("result %v", err)
		}
	}
	if err := httptransport.ListenAndServe(s); err != http.ErrServerClosed {
		t.Errorf("after Shutdown: %v", err)
	}
}

func TestListenErrors(t *testing.T) {
	l := listen(t, 0)
	defer l.Close()
	var op *net.OpError
	if err := httptransport.ListenAndServe(&http.Server{Addr: l.Addr().String()}); !errors.As(err, &op) {
		t.Errorf("address in use: %v", err)
	}
	addr := free(t)
	if err := httptransport.ListenAndServeTLS(&http.Server{Addr: addr}, "/does/not/exist", "/does/not/exist"); err == nil {
		t.Error("no certificate: no error")
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Errorf("the listener was left open: %v", err)
	} else {
		l.Close()
	}
}
