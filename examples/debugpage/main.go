// Command debugpage shows the page of package mptcpz.
//
// Without flags it starts, in this process, a server and a client that talk
// over Multipath TCP, and one that gets TCP instead, looks at its own page for
// some seconds as a browser would, and prints what is on it:
//
//	go run ./examples/debugpage
//
// With -listen it goes on until it is interrupted, so that you can look
// yourself:
//
//	go run ./examples/debugpage -listen localhost:6060
//
// and open http://localhost:6060/debug/mptcp/.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/multipath-go/mptcp/mptcpz"
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
	flags := flag.NewFlagSet("debugpage", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "", "go on, with the page at this `address` of the loopback, such as localhost:6060")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() != 0 {
		fmt.Fprintln(stderr, "debugpage: there are only flags: see -help")
		return 2
	}
	if err := run(ctx, stdout, *listen); err != nil {
		fmt.Fprintf(stderr, "debugpage: %v\n", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, stdout io.Writer, address string) error {
	ctx, cancel := context.WithCancel(ctx)
	stay := address != ""
	if !stay {
		address = "localhost:0"
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		cancel()
		return err
	}
	// This is all that a program of your own needs.
	mux := http.NewServeMux()
	mux.Handle("/debug/mptcp/", mptcpz.Handler(nil))

	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	finished, err := traffic(ctx)
	defer func() {
		cancel()
		finished()
		// Ends the streams of those who look, too.
		end, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = server.Shutdown(end)
	}()
	if err != nil {
		return err
	}

	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	url := "http://localhost:" + port + "/debug/mptcp/"
	fmt.Fprintf(stdout, "The page is at %s\n", url)
	if !stay {
		return look(ctx, stdout, url)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return err
	}
}
