package sockets

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// envInherited is set, by systemd-socket-activate, for a program that is to
// serve on the socket that it has inherited.
const envInherited = "INTEROP_INHERITED"

func TestMain(m *testing.M) {
	if os.Getenv(envInherited) != "" {
		fmt.Fprintln(os.Stderr, serve())
		os.Exit(1)
	}
	mptcptest.Main(m)
}

// serve serves on the first inherited socket, and says what that is and what
// carries the request.
func serve() error {
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return fmt.Errorf("LISTEN_FDS is %q, not 1", n)
	}
	file := os.NewFile(3, "LISTEN_FD_3") // SD_LISTEN_FDS_START of sd-daemon.h
	inner, err := net.FileListener(file)
	if err != nil {
		return err
	}
	file.Close()
	l, err := new(transport.ListenConfig).Adopt(inner)
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := httptransport.FromRequest(r)
		fmt.Fprintf(w, "listener %v, request %v, %v", l.Status(), status, err)
	}))
}
