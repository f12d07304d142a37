// Command prometheus shows the metrics of a service that uses Multipath TCP, as
// Prometheus scrapes them.
//
// Without flags it starts two servers in this process, one that uses Multipath
// TCP and one that uses TCP only, sends requests to both over real sockets,
// scrapes itself and prints what it has scraped:
//
//	go run ./examples/prometheus
//
// It also serves until it is interrupted, its metrics under /metrics, and logs
// the end of each connection:
//
//	server$ go run ./examples/prometheus -listen :8080
//	client$ curl --mptcp http://server:8080/hello
//	client$ curl http://server:8080/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is the program. It returns the exit status: 0 for success, 1 for a
// failure, 2 for flags that make no sense.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("prometheus", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "", "serve at this `address`, such as :8080, until interrupted")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() != 0 {
		fmt.Fprintln(stderr, "prometheus: there are only flags: see -help")
		return 2
	}
	t, err := newTelemetry()
	if err == nil {
		if *listen != "" {
			err = serve(ctx, t, *listen, stdout, stderr)
		} else {
			err = demonstrate(ctx, t, stdout)
		}
		err = errors.Join(err, t.stop())
	}
	if err != nil {
		fmt.Fprintf(stderr, "prometheus: %v\n", err)
		return 1
	}
	return 0
}

// serve serves until ctx is done.
func serve(ctx context.Context, t *telemetry, address string, stdout, stderr io.Writer) error {
	s, err := start(ctx, t, address, transport.Prefer, stderr)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Fprintf(stdout, "Serving at %s: /hello, and /metrics for Prometheus.\n", s.url)
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.done:
		return err
	}
}

// demonstrate calls two servers and prints the metrics of it all.
func demonstrate(ctx context.Context, t *telemetry, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: t.roundTripper()}
	defer client.CloseIdleConnections()
	var url string
	for _, mode := range []transport.Mode{transport.Off, transport.Prefer} {
		s, err := start(ctx, t, "127.0.0.1:0", mode, io.Discard)
		if err != nil {
			return err
		}
		defer s.stop()
		url = s.url
		for range 3 {
			if _, err := get(ctx, client, url+"/hello"); err != nil {
				return err
			}
		}
	}
	text, err := get(ctx, http.DefaultClient, url+"/metrics") // as Prometheus would
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s/metrics has, apart from buckets and zeros:\n\n%s", url, excerpt(text))
	return nil
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}

// excerpt returns the lines of a scrape that are about Multipath TCP and say
// something.
func excerpt(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "mptcp_") && !strings.Contains(line, "_bucket{") && !strings.HasSuffix(line, " 0\n") {
			b.WriteString(line)
		}
	}
	return b.String()
}
