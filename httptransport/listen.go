package httptransport

import (
	"net"
	"net/http"
	"sync"

	"github.com/multipath-go/mptcp/transport"
)

// ListenAndServe is like the method of the same name of [http.Server], and
// listens with Multipath TCP: on s.Addr, or on ":http" if that is empty.
// Clients that do not offer Multipath TCP are served over TCP, and so is
// everyone where this host has none. It always returns an error;
// [http.ErrServerClosed] after Shutdown or Close.
//
// It replaces s.Handler by [Handler] of the same with a nil Reporter, unless
// it comes from there already. Where that is not wanted, and for a listener
// with other settings, the same thing without it takes two lines:
//
//	l, err := transport.Listen("tcp", s.Addr)
//	...
//	err = s.Serve(l)
func ListenAndServe(s *http.Server) error {
	return serve(s, ":http", func(l net.Listener) error { return s.Serve(l) })
}

// ListenAndServeTLS is to the method of the same name of [http.Server] what
// [ListenAndServe] is to that one. HTTP/2 works as it does there. The default
// address is ":https"; certFile and keyFile may be empty if s.TLSConfig has
// the certificate.
func ListenAndServeTLS(s *http.Server, certFile, keyFile string) error {
	return serve(s, ":https", func(l net.Listener) error { return s.ServeTLS(l, certFile, keyFile) })
}

func serve(s *http.Server, address string, serve func(net.Listener) error) error {
	if s.Addr != "" {
		address = s.Addr
	}
	l, err := transport.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer l.Close() // ServeTLS leaves it open if it cannot read the certificate
	handle(s)
	return serve(l)
}

// handling lets one server be started twice at the same time, with TLS and
// without.
var handling sync.Mutex

// handle wraps the handler of s once.
func handle(s *http.Server) {
	handling.Lock()
	defer handling.Unlock()
	if _, ok := s.Handler.(*handler); !ok {
		s.Handler = Handler(s.Handler, nil)
	}
}
