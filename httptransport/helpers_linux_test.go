package httptransport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// A protocol is one way in which net/http carries requests.
type protocol struct {
	name  string
	tls   bool
	major int
}

var protocols = []protocol{
	{"h1", false, 1},
	{"h1-tls", true, 1},
	{"h2c", false, 2},
	{"h2-tls", true, 2},
}

// listen returns a listener of package transport: one for Multipath TCP, or,
// in mode Off, for TCP.
func listen(t testing.TB, mode transport.Mode) net.Listener {
	t.Helper()
	l, err := (&transport.ListenConfig{Mode: mode}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve starts a server that speaks p. The server of an empty listener is one
// for Multipath TCP. prepare, if not nil, may change it before it starts.
func serve(t testing.TB, p protocol, l net.Listener, h http.Handler, prepare ...func(*httptest.Server)) *httptest.Server {
	t.Helper()
	if l == nil {
		l = listen(t, transport.Prefer)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.EnableHTTP2 = p.tls && p.major == 2
	if !p.tls && p.major == 2 {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	for _, f := range prepare {
		f(s)
	}
	if p.tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// A dials is a list of the local addresses of the connections that a transport
// has dialed.
type dials struct {
	sync.Mutex
	local []net.Addr
}

func (d *dials) last() net.Addr {
	d.Lock()
	defer d.Unlock()
	if len(d.local) == 0 {
		return nil
	}
	return d.local[len(d.local)-1]
}

func (d *dials) count() int {
	d.Lock()
	defer d.Unlock()
	return len(d.local)
}

// client returns a transport from New that speaks p, trusts s and lists its
// connections.
func client(t testing.TB, p protocol, servers ...*httptest.Server) (*http.Transport, *dials) {
	t.Helper()
	tr, made := httptransport.New(nil), new(dials)
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			if _, ok := c.(*net.TCPConn); !ok {
				t.Errorf("dialed a %T", c)
			}
			made.Lock()
			made.local = append(made.local, c.LocalAddr())
			made.Unlock()
		}
		return c, err
	}
	tr.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	for _, s := range servers {
		if s.Certificate() != nil {
			tr.TLSClientConfig.RootCAs.AddCert(s.Certificate())
		}
	}
	if p.major == 1 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP1(true)
	} else if !p.tls {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr, made
}

// get sends one request and reads the body.
func get(t testing.TB, rt http.RoundTripper, url string) (*http.Response, string) {
	t.Helper()
	response, err := (&http.Client{Transport: rt}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(b)
}

// check fails unless the status of response is the one wanted.
func check(t testing.TB, response *http.Response, state mptcp.State, reason mptcp.Reason) {
	t.Helper()
	s, err := httptransport.FromResponse(response)
	if err != nil {
		t.Errorf("FromResponse: %v", err)
	}
	if s.State != state || s.Reason != reason {
		t.Errorf("FromResponse = %v, want %v (%v)", s, state, reason)
	}
}

// tell is a handler that answers with what FromRequest says.
func tell(w http.ResponseWriter, r *http.Request) {
	s, err := httptransport.FromRequest(r)
	if err != nil {
		io.WriteString(w, err.Error())
		return
	}
	io.WriteString(w, s.String())
}
