package grpcdialer_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// A fakeProxy answers CONNECT and connects every target to one backend.
type fakeProxy struct {
	ln      net.Listener
	backend string
	wg      sync.WaitGroup

	mu       sync.Mutex
	requests []string // target, authorization
	accepted []mptcp.Status
}

func startProxy(t *testing.T, ln net.Listener, backend string) *fakeProxy {
	p := &fakeProxy{ln: ln, backend: backend}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { defer c.Close(); p.handle(t, c) })
		}
	})
	t.Cleanup(func() { ln.Close(); p.wg.Wait() })
	return p
}

func (p *fakeProxy) handle(t *testing.T, c net.Conn) {
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Errorf("proxy: %v", err)
		return
	}
	s, _ := mptcp.Inspect(c)
	p.mu.Lock()
	p.requests = append(p.requests, strings.TrimSpace(req.Method+" "+req.Host+" "+req.Header.Get("Proxy-Authorization")))
	p.accepted = append(p.accepted, s)
	p.mu.Unlock()
	backend, err := net.Dial("tcp", p.backend)
	if err != nil {
		t.Errorf("proxy: %v", err)
		return
	}
	defer backend.Close()
	// A gRPC server without TLS speaks first. What it says travels in one
	// segment with the answer to CONNECT, to catch who reads too much of it.
	first := make([]byte, 4096)
	n, err := backend.Read(first)
	if err != nil {
		return
	}
	if _, err := c.Write(append([]byte("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"), first[:n]...)); err != nil {
		return
	}
	p.wg.Go(func() {
		_, _ = io.Copy(backend, r)
		backend.Close()
	})
	_, _ = io.Copy(c, backend)
}

func (p *fakeProxy) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.requests
	p.requests = nil
	slices.Sort(r)
	return slices.Compact(r) // gRPC's own dialer may connect more than once
}

// The environment decides as it does for gRPC's own dialer, which reads it
// once per process: so this happens in a process of its own.
func TestProxyEnvironmentLikeStock(t *testing.T) {
	checkLeaks(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	defer f.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProxyChild$", "-test.v")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Env = append(os.Environ(), "GRPCDIALER_PROXY_CHILD=1",
		"HTTPS_PROXY=http://user:pass%20word@"+ln.Addr().String(), "https_proxy=",
		"NO_PROXY=direct.test,10.9.8.7,.sub.test", "no_proxy=")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestProxyChild") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestProxyChild(t *testing.T) {
	if os.Getenv("GRPCDIALER_PROXY_CHILD") == "" {
		t.Skip("run by TestProxyEnvironmentLikeStock")
	}
	backend := listen(t, transport.Prefer)
	serveService(t, backend, authorityServer())
	inherited, err := net.FileListener(os.NewFile(3, "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := startProxy(t, inherited, backend.Addr().String())
	socket, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	serveService(t, socket, authorityServer())
	const auth = " Basic dXNlcjpwYXNzIHdvcmQ="

	for _, c := range []struct {
		target  string
		connect string // what the proxy is asked for
	}{
		{"name.test:1234", "CONNECT name.test:1234" + auth},
		{"name.test", "CONNECT name.test:443" + auth},
		{"dns:///name.test:1234", "CONNECT name.test:1234" + auth},
		{"dns://8.8.8.8/name.test", "CONNECT name.test:443" + auth},
		{"dns:///192.0.2.1:1234", "CONNECT 192.0.2.1:1234" + auth},
		{"dns:///[2001:db8::1]:1234", "CONNECT [2001:db8::1]:1234" + auth},
		{"dns:///2001:db8::1", "CONNECT [2001:db8::1]:443" + auth},
		{"passthrough:///name.test:1234", "CONNECT name.test:1234" + auth},
		{"sub.test:1", "CONNECT sub.test:1" + auth},
		// The ones that go without, most of them in vain.
		{"127.0.0.1:" + backend.Addr().String()[len("127.0.0.1:"):], ""},
		{"localhost:" + backend.Addr().String()[len("127.0.0.1:"):], ""},
		{"passthrough:///localhost:1", ""},
		{"dns:///127.0.0.1:1", ""},
		{"unix://" + socket.Addr().String(), ""},
		{"passthrough:///unix://" + socket.Addr().String(), ""},
		{"dns:///direct.test:1234", ""},
		{"passthrough:///direct.test:1234", ""},
		{"dns:///a.sub.test:1234", ""},
		{"unix-abstract:none", ""},
		{"dns:///name.test:", ""},
	} {
		stock := outcomeOf(t, c.target)
		asked := proxy.take()
		ours := outcomeOf(t, c.target, grpcdialer.DialOptions()...)
		got := proxy.take()
		if stock != ours || !slices.Equal(asked, got) {
			t.Errorf("%q:\n  %+v, proxy asked for %q,\n  and with gRPC's own dialer\n  %+v, %q", c.target, ours, got, stock, asked)
		}
		if strings.Join(got, ",") != c.connect {
			t.Errorf("%q: proxy asked for %q, want %q", c.target, got, c.connect)
		}
		if c.connect != "" && ours.code != "OK" {
			t.Errorf("%q: %+v", c.target, ours)
		}
	}
	// What the environment says, an option can unsay.
	if got := outcomeOf(t, "name.test:1", grpcdialer.DialOptions(grpcdialer.WithProxy(nil))...); got.code != "Unavailable" || len(proxy.take()) != 0 {
		t.Errorf("WithProxy(nil): %+v", got)
	}
}

// proxyAt returns a function for WithProxy.
func proxyAt(address string) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: address}, nil }
}

// The connection to the proxy uses Multipath TCP, stays the bare one of package
// net, and its status is that of the RPCs.
func TestProxyMultipath(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	backend := listen(t, transport.Off)
	serve(t, backend)
	proxy := startProxy(t, listen(t, transport.Prefer), backend.Addr().String())
	asked := make(chan string, 10)
	var s mptcp.Status
	cc := client(t, "name.test", append(grpcdialer.DialOptions(grpcdialer.WithProxy(func(u *url.URL) (*url.URL, error) {
		asked <- u.String()
		return proxyAt(proxy.ln.Addr().String())(u)
	})), plaintext)...)
	if _, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty), grpcdialer.Status(&s)); err != nil {
		t.Fatal(err)
	}
	if s.State != mptcp.Multipath || proxy.accepted[0].State != mptcp.Multipath {
		t.Errorf("client %v, proxy %v", s, proxy.accepted)
	}
	if u := <-asked; u != "https://name.test:443" {
		t.Errorf("proxy asked for %q", u)
	}
	// A name that is resolved here and needs no proxy is not asked about again
	// by its address.
	direct := client(t, "localhost:"+backend.Addr().String()[len("127.0.0.1:"):], append(grpcdialer.DialOptions(grpcdialer.WithProxy(func(u *url.URL) (*url.URL, error) {
		if u.Hostname() == "localhost" {
			return nil, nil
		}
		t.Errorf("proxy asked for %v", u)
		return proxyAt(proxy.ln.Addr().String())(u)
	})), plaintext)...)
	if _, err := testgrpc.NewTestServiceClient(direct).EmptyCall(testContext(t), new(testpb.Empty), grpcdialer.Status(&s)); err != nil {
		t.Fatal(err)
	}
	if s.State != mptcp.Fallback {
		t.Errorf("direct: %v", s)
	}
}

// dialThrough dials target with the dialer of DialOptions, as gRPC would.
func dialThrough(ctx context.Context, t *testing.T, proxy func(*url.URL) (*url.URL, error)) error {
	t.Helper()
	cc := client(t, "passthrough:target.test:99", append(grpcdialer.DialOptions(grpcdialer.WithProxy(proxy)), plaintext)...)
	_, err := testgrpc.NewTestServiceClient(cc).EmptyCall(ctx, new(testpb.Empty))
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

// What a proxy may answer, and what the user is told.
func TestProxyErrors(t *testing.T) {
	checkLeaks(t)
	for _, c := range []struct{ name, answer, want string }{
		{"refused", "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno\n", "CONNECT refused: 407 Proxy Authentication Required"},
		{"redirect", "HTTP/1.0 302 Found\r\n\r\n", "refused: 302 Found"},
		{"no reason", "HTTP/1.1 503\r\n\r\n", "refused: 503"},
		{"switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "refused: 101 Switching Protocols"},
		{"interim, then refused", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oops\r\n\r\n", "refused: 500 Oops"},
		{"bare line feeds", "HTTP/1.1 403 No\n\n", "refused: 403 No"},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP response: SSH-2.0-OpenSSH"},
		{"bad code", "HTTP/1.1 99 x\r\n\r\n", `not an HTTP response`},
		{"control characters", "HTTP/1.1 500 \x1b[2J\r\n\r\n", "refused: 500 ?[2J"},
		{"closed", "", "EOF"},
		{"closed in the middle", "HTTP/1.1 200 O", "EOF"},
		{"endless", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70_000), "longer than 65536 bytes"},
		{"endless interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 4000), "longer than 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln := listen(t, transport.Prefer)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					_, _ = http.ReadRequest(bufio.NewReader(conn))
					_, _ = io.WriteString(conn, c.answer)
					conn.Close()
				}
			})
			defer wg.Wait()
			defer ln.Close()
			text := dialThrough(testContext(t), t, proxyAt(ln.Addr().String())).Error()
			if want := "proxy " + ln.Addr().String() + " for target.test:99: "; !strings.Contains(text, want) || !strings.Contains(text, c.want) {
				t.Errorf("%s\nwant %s ... %s", text, want, c.want)
			}
		})
	}
	for _, c := range []struct{ proxy, want string }{
		{"socks5://user:secret@192.0.2.1:1080", `proxy 192.0.2.1:1080 for target.test:99: scheme socks5: only HTTP CONNECT is supported`},
		{"http://user:secret@127.0.0.1:1", "proxy 127.0.0.1:1 for target.test:99: dial tcp 127.0.0.1:1: "},
	} {
		text := dialThrough(testContext(t), t, func(*url.URL) (*url.URL, error) { return url.Parse(c.proxy) }).Error()
		if !strings.Contains(text, c.want) || strings.Contains(text, "secret") {
			t.Errorf("%s\nwant %s and no password", text, c.want)
		}
	}
	text := dialThrough(testContext(t), t, func(*url.URL) (*url.URL, error) { return nil, io.ErrNoProgress }).Error()
	if want := "proxy for target.test:99: " + io.ErrNoProgress.Error(); !strings.Contains(text, want) {
		t.Errorf("%s\nwant %s", text, want)
	}
}

// A proxy that accepts and says nothing holds up a dial until its deadline or
// its cancellation, and no longer.
func TestProxySilent(t *testing.T) {
	checkLeaks(t)
	ln := listen(t, transport.Prefer)
	arrived := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				close(arrived)
				return
			}
			arrived <- c
		}
	}()
	opts := append(grpcdialer.DialOptions(grpcdialer.WithProxy(proxyAt(ln.Addr().String()))), plaintext)
	// gRPC gives a connection attempt at least MinConnectTimeout.
	opts = append(opts, grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 100 * time.Millisecond}))
	cc := client(t, "passthrough:target.test:99", opts...)
	start := time.Now()
	_, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty))
	if took := time.Since(start); err == nil || took > 5*time.Second {
		t.Errorf("deadline: %v after %v", err, took)
	}

	silent := client(t, "passthrough:target.test:99", append(grpcdialer.DialOptions(grpcdialer.WithProxy(proxyAt(ln.Addr().String()))), plaintext)...)
	silent.Connect()
	(<-arrived).Close()
	c := <-arrived
	start = time.Now()
	silent.Close()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil && time.Since(start) > 4*time.Second {
		t.Errorf("cancellation: connection to the proxy not closed: %v after %v", err, time.Since(start))
	}
	c.Close()
	ln.Close()
	for c := range arrived {
		c.Close()
	}
}
