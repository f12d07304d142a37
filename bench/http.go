package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

const fileSize = 64 << 20

func httpTable() table {
	t := table{
		name: "http", title: "HTTP, requests", base: std,
		note:    "GET of five bytes over loopback, client and server in one process. " + ofProcessor,
		figures: busyFigures("thousand requests/s"),
	}
	for _, h2 := range []bool{false, true} {
		for _, n := range []int{1, 16} {
			t.cases = append(t.cases, testCase{
				name: fmt.Sprintf("%s, %d in flight", protocol(h2), n), rounds: 61, warm: true,
				prepare: sites(h2, nil, func(l *lab, s *site) []float64 {
					get := func() error {
						_, err := s.get(l, "/small")
						return err
					}
					busy(l, n, span(10*time.Millisecond), get)
					return busy(l, n, span(25*time.Millisecond), get)
				}),
			})
		}
	}
	return t
}

func fileTable() table {
	t := table{
		name: "files", title: "HTTP, files", base: std,
		note: "A file of 64 MiB over loopback, client and server in one process. Over HTTP/1.1 without TLS the server sends it by " +
			"sendfile(2). QUIC is HTTP/3 of quic-go.",
		figures: []figure{{"Mbit/s", false}},
	}
	file := func(l *lab, s *site) []float64 {
		start := time.Now()
		n, err := s.get(l, "/file")
		l.check(err)
		return []float64{float64(n) * 8 / time.Since(start).Seconds() / 1e6}
	}
	for _, c := range []struct {
		name string
		h2   bool
		tls  *tls.Config
	}{
		{protocol(false), false, nil},
		{protocol(true), true, nil},
		{protocol(true) + " with TLS", true, serverTLS()},
	} {
		t.cases = append(t.cases, testCase{name: c.name, rounds: 11, warm: true, prepare: func(l *lab) []way {
			ways := sites(c.h2, c.tls, file)(l)
			if c.tls != nil {
				s := newQUICSite(l)
				ways = append(ways, way{overQUIC, func(l *lab) []float64 { return file(l, s) }})
			}
			return ways
		}})
	}
	return t
}

func protocol(h2 bool) string {
	if h2 {
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// A site is an HTTP server and a client of it.
type site struct {
	url    string
	client *http.Client
}

func (s *site) get(ctx context.Context, path string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return 0, err
	}
	r, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	return io.Copy(io.Discard, r.Body)
}

// handler serves little, and a file.
func handler(l *lab) http.Handler {
	dir, err := os.MkdirTemp("", "mptcp-bench")
	l.check(err)
	l.Cleanup(func() { os.RemoveAll(dir) })
	l.check(os.WriteFile(filepath.Join(dir, "file"), make([]byte, fileSize), 0o600))
	mux := http.NewServeMux()
	mux.HandleFunc("/small", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	return mux
}

// newSite serves h with a stack on loopback.
func newSite(l *lab, stack string, h2 bool, withTLS *tls.Config, h http.Handler) *site {
	ln, address := loopback.listen(l, stack)
	var protocols http.Protocols
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	protocols.SetUnencryptedHTTP2(h2)
	server := &http.Server{Handler: h, Protocols: &protocols, TLSConfig: withTLS}
	client := &http.Transport{DialContext: loopback.dialer(stack)}
	var roundTripper http.RoundTripper = client
	if isOurs(stack) {
		client = httptransport.New(&transport.Dialer{Memory: new(transport.Memory)})
		roundTripper, server.Handler = client, httptransport.Handler(h, nil)
	}
	if stack == reported {
		roundTripper, server.Handler = httptransport.ReportingRoundTripper(client, countRequest), httptransport.Handler(h, countRequest)
	}
	client.Protocols, client.MaxIdleConnsPerHost, client.TLSClientConfig = &protocols, 100, clientTLS()
	s := &site{"http://" + address, &http.Client{Transport: roundTripper}}
	if withTLS != nil {
		s.url = "https://" + address
		go server.ServeTLS(ln, "", "")
	} else {
		go server.Serve(ln)
	}
	l.Cleanup(func() {
		client.CloseIdleConnections()
		server.Close()
	})
	return s
}

// countRequest is count for HTTP.
func countRequest(_ context.Context, r httptransport.Report) {
	if r.Status.State != mptcp.Multipath && r.Err == nil {
		others.Add(1)
	}
}

// sites is pairs for HTTP.
func sites(h2 bool, withTLS *tls.Config, f func(*lab, *site) []float64) func(*lab) []way {
	return func(l *lab) (ways []way) {
		h := handler(l)
		for _, stack := range []string{tcp, std, ours, reported} {
			ways = append(ways, way{stack, func(l *lab) []float64 { return f(l, newSite(l, stack, h2, withTLS, h)) }})
		}
		return ways
	}
}
