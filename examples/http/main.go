// Command http shows HTTP over Multipath TCP.
//
// Without flags it starts two servers in this process, one that uses Multipath
// TCP and one that uses TCP only, sends requests to both over real sockets with
// TLS, by HTTP/1.1 and by HTTP/2, and prints for each request what its client
// and its server saw:
//
//	go run ./examples/http
//
// The two halves also run on two machines. The server writes its certificate
// to a file, which has to be copied to the client:
//
//	server$ go run ./examples/http -listen :8443 -cert server.pem
//	client$ go run ./examples/http -connect server:8443 -cert server.pem
//
// With -require, TCP will not do: the program fails where it would have to use
// it.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
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
	flags := flag.NewFlagSet("http", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "", "only serve, at this `address`, such as :8443")
	connect := flags.String("connect", "", "only send requests to the server at this `address`")
	cert := flags.String("cert", "", "`file` for the server's certificate: -listen writes it, -connect reads it")
	require := flags.Bool("require", false, "fail rather than use TCP")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if usage := misuse(flags.NArg(), *listen, *connect, *cert); usage != "" {
		fmt.Fprintf(stderr, "http: %s\n", usage)
		return 2
	}
	mode := transport.Prefer
	if *require {
		mode = transport.Require
	}

	fmt.Fprintf(stdout, "Multipath TCP on this host: %s\n", availability(mptcp.Probe()))
	var err error
	switch {
	case *listen != "":
		err = serve(ctx, stdout, *listen, *cert, mode)
	case *connect != "":
		var trusted *x509.Certificate
		if trusted, err = selfsigned.Read(*cert); err == nil {
			fmt.Fprintf(stdout, "\nServer at %s\n", *connect)
			err = call(ctx, stdout, *connect, trusted, mode)
		}
	default:
		err = both(ctx, stdout, mode)
	}
	if err != nil {
		fmt.Fprintf(stderr, "http: %v\n", err)
		return 1
	}
	return 0
}

func misuse(args int, listen, connect, cert string) string {
	switch {
	case args != 0:
		return "there are only flags: see -help"
	case listen != "" && connect != "":
		return "-listen and -connect are for two processes: use one of them"
	case (listen != "" || connect != "") && cert == "":
		return "-cert names a file for the server's certificate: -listen writes it, -connect reads it"
	case listen == "" && connect == "" && cert != "":
		return "-cert is for -listen and -connect"
	}
	return ""
}

func availability(err error) string {
	switch {
	case err == nil:
		return "available"
	case errors.Is(err, errors.ErrUnsupported):
		return "not available. " + mptcp.ProbeReason(err).Explain()
	}
	return "not known: " + err.Error()
}

// both runs server and client in this process, with Multipath TCP and against
// a server that knows only TCP.
func both(ctx context.Context, stdout io.Writer, mode transport.Mode) error {
	for _, s := range []struct {
		title string
		mode  transport.Mode
	}{
		{"Server that uses Multipath TCP where it can", mode},
		{"Server that knows only TCP", transport.Off},
	} {
		server, err := start(ctx, "127.0.0.1:0", s.mode, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "\n%s at %s\n", s.title, server.address)
		err = call(ctx, stdout, server.address, server.cert.Leaf, mode)
		server.stop()
		if err != nil {
			return err
		}
	}
	return nil
}
