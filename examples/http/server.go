package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// handler is written as if there were no Multipath TCP.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		for i := range lines {
			fmt.Fprintln(w, "line", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	})
	return mux
}

const lines = 3 // of a stream

type running struct {
	address string
	cert    tls.Certificate
	server  *http.Server
	done    chan error
}

// start starts a server. What is particular to Multipath TCP is the listener
// and, around the handler, what tells the client, and the reporter, what the
// server saw.
func start(ctx context.Context, address string, mode transport.Mode, report httptransport.Reporter) (*running, error) {
	cert, err := selfsigned.Generate()
	if err != nil {
		return nil, err
	}
	lc := transport.ListenConfig{Mode: mode}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &running{address: ln.Addr().String(), cert: cert, done: make(chan error, 1)}
	s.server = &http.Server{
		Handler:           httptransport.Handler(httptransport.SendStatus(handler()), report),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // of clients that do not trust the certificate
	}
	go func() { s.done <- s.server.ServeTLS(ln, "", "") }()
	return s, nil
}

// stop ends the server and its connections, whatever they are doing.
func (s *running) stop() { _ = s.server.Close() }

// serve serves until ctx is done and prints a line for each request.
func serve(ctx context.Context, stdout io.Writer, address, certFile string, mode transport.Mode) error {
	s, err := start(ctx, address, mode, func(_ context.Context, r httptransport.Report) {
		from := "?"
		if c := transport.Lookup(r.LocalAddr); c != nil {
			from = c.RemoteAddr().String()
		}
		line := fmt.Sprintf("%s  %s from %s: %s", time.Now().Format(time.TimeOnly), r.Pattern, from, show(r.Status))
		if r.Err != nil {
			line += ": " + r.Err.Error()
		}
		fmt.Fprintln(stdout, line) // one write: requests end at the same time
	})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := selfsigned.Write(certFile, s.cert.Leaf); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nServing at %s. Copy %s to another machine and run there:\n", s.address, certFile)
	fmt.Fprintf(stdout, "  go run ./examples/http -connect THIS-HOST:%s -cert %s\n\n", port, certFile)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.done:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}
}
