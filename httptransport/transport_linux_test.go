package httptransport_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// A proxy is a forwarding proxy. It tunnels CONNECT and says in a header or,
// for tunnels, through saw, what it saw of its client's connection.
func proxy(saw chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st, err := httptransport.FromRequest(r)
		saw <- fmt.Sprint(r.Method, " ", st, " ", err)
		if r.Method != http.MethodConnect {
			(&httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}}).ServeHTTP(w, r)
			return
		}
		back, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		pipe(c, rw.Reader, back)
	})
}

// pipe copies both ways until one of them ends.
func pipe(c net.Conn, r *bufio.Reader, back net.Conn) {
	done := make(chan struct{}, 2)
	go func() { io.Copy(back, r); done <- struct{}{} }()
	go func() { io.Copy(c, back); done <- struct{}{} }()
	<-done
	c.Close()
	back.Close()
	<-done
}

// socks serves one SOCKS5 connection (RFC 1928) without authentication.
func socks(t *testing.T, c net.Conn, saw chan<- string) {
	st, err := mptcp.Inspect(c)
	saw <- fmt.Sprint("SOCKS ", st, " ", err)
	r := bufio.NewReader(c)
	b := make([]byte, 4)
	io.ReadFull(r, b[:2])
	r.Discard(int(b[1]))
	c.Write([]byte{5, 0})
	io.ReadFull(r, b) // version, command, reserved, address type
	if b[3] != 1 {
		t.Errorf("SOCKS address type %d, want an IPv4 address", b[3])
	}
	to := make([]byte, 6)
	io.ReadFull(r, to)
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	back, err := net.Dial("tcp", fmt.Sprintf("%v:%d", net.IP(to[:4]), binary.BigEndian.Uint16(to[4:])))
	if err != nil {
		t.Error(err)
		c.Close()
		return
	}
	pipe(c, r, back)
}

// Proxies are dialed with Multipath TCP, and the status is that of the
// connection to the proxy.
func TestProxies(t *testing.T) {
	saw := make(chan string, 1)
	httpProxy := serve(t, protocols[0], nil, proxy(saw))
	httpsProxy := serve(t, protocols[1], nil, proxy(saw))
	socksProxy := listen(t, transport.Prefer)
	defer socksProxy.Close()
	go func() {
		for {
			c, err := socksProxy.Accept()
			if err != nil {
				return
			}
			go socks(t, c, saw)
		}
	}()
	proxies := []struct{ name, url string }{
		{"http", httpProxy.URL},
		{"https", httpsProxy.URL},
		{"socks5", "socks5://" + socksProxy.Addr().String()},
	}
	for _, proxy := range proxies {
		for _, p := range protocols {
			if !p.tls && p.major == 2 {
				continue // net/http does not speak h2c to a proxy
			}
			t.Run(proxy.name+"/"+p.name, func(t *testing.T) {
				target := serve(t, p, listen(t, transport.Off), http.HandlerFunc(tell))
				tr, made := client(t, p, target, httpsProxy)
				u, _ := url.Parse(proxy.url)
				tr.Proxy = http.ProxyURL(u)
				var reported net.Addr
				rt := httptransport.ReportingRoundTripper(tr, func(_ context.Context, r httptransport.Report) { reported = r.LocalAddr })
				response, body := get(t, rt, target.URL)
				check(t, response, mptcp.Multipath, 0)
				if body != "tcp (not-requested)" || response.ProtoMajor != p.major {
					t.Errorf("%s: target saw %s", response.Proto, body)
				}
				if reported != made.last() {
					t.Errorf("reported LocalAddr %p, the connection's is %p", reported, made.last())
				}
				method := "GET"
				if proxy.name == "socks5" {
					method = "SOCKS"
				} else if p.tls {
					method = "CONNECT"
				}
				if s := <-saw; s != method+" multipath <nil>" {
					t.Errorf("the proxy saw %s", s)
				}
			})
		}
	}
}

// The environment names the proxy. It is read once in the life of a process,
// so this runs in one of its own.
func TestProxyFromEnvironment(t *testing.T) {
	if os.Getenv("HTTPTRANSPORT_TEST_CHILD") != "" {
		rt := httptransport.RoundTripper(nil)
		response, body := get(t, rt, "http://unresolvable.invalid/")
		check(t, response, mptcp.Multipath, 0)
		if body != "for unresolvable.invalid: multipath" {
			t.Errorf("answer %q", body)
		}
		return
	}
	p := serve(t, protocols[0], nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "for %s: ", r.URL.Host)
		tell(w, r)
	}))
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyFromEnvironment$")
	c.Env = append(os.Environ(), "HTTPTRANSPORT_TEST_CHILD=1", "HTTP_PROXY="+p.URL, "NO_PROXY=", "no_proxy=", "http_proxy=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the status of a retried TLS dial or an odd certificate does is
// net/http's business; that its settings are obeyed is ours.
func TestTLSIsVerified(t *testing.T) {
	s := serve(t, protocols[1], nil, http.HandlerFunc(tell), func(s *httptest.Server) {
		s.Config.ErrorLog = discard
	})
	_, err := (&http.Client{Transport: httptransport.RoundTripper(nil)}).Get(s.URL)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}
