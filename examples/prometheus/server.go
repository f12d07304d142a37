package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

type running struct {
	url    string
	server *http.Server
	done   chan error
}

// start starts a server, with its metrics at /metrics, that logs the end of
// each connection to log.
func start(ctx context.Context, t *telemetry, address string, mode transport.Mode, log io.Writer) (*running, error) {
	lc := transport.ListenConfig{
		Mode:     mode,
		OnChange: metrics.LogEnds(slog.New(slog.NewTextHandler(log, nil))),
	}
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.scraped)
	mux.Handle("GET /hello", t.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	s := &running{
		url:    "http://" + ln.Addr().String(),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan error, 1),
	}
	go func() {
		err := s.server.Serve(ln)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.done <- err
	}()
	return s, nil
}

// stop ends the server and its connections, whatever they are doing.
func (s *running) stop() { _ = s.server.Close() }
