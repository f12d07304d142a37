package haproxy

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
	"github.com/multipath-go/mptcp/mptcptest"
)

const port = 8080

func start(t *testing.T, h *mptcptest.Host, proxy string) {
	p := scene.NewProcess(t, h)
	config := p.File("haproxy.cfg", []byte(`
defaults
	mode http
	timeout connect 20s
	timeout client 60s
	timeout server 60s
`+proxy), 0o644)
	p.Start("haproxy", "-db", "-f", config)
}

// TestHAProxyBind has a client of this module talk to HAProxy.
func TestHAProxyBind(t *testing.T) {
	s := scene.New(t)
	start(t, s.Server, fmt.Sprintf(`
frontend f
	bind mptcp4@0.0.0.0:%d
	http-request return status 200 content-type text/plain string hello
`, port))
	s.AwaitListener(port)
	s.Survives(scene.Program{
		Name: "HAProxy (bind mptcp4@…)", Version: scene.PackageVersion(t, "haproxy"), Us: "client",
		Exchange: s.Get("http://"+s.Address(port), "hello", "multipath"),
	})
}

// TestHAProxyServer has HAProxy, near the client, talk to a server of this
// module. The client talks to HAProxy by TCP, within the host.
func TestHAProxyServer(t *testing.T) {
	s := scene.New(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := httptransport.FromRequest(r)
		fmt.Fprint(w, r.URL.Path, " by ", status, " ", err)
	})}
	go server.Serve(s.Listen(port))
	t.Cleanup(func() { server.Close() })
	start(t, s.Client, fmt.Sprintf(`
listen l
	bind 127.0.0.1:%d
	server s mptcp4@%s
`, port, s.Address(port)))
	transport := &http.Transport{DialContext: s.Client.DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s.AwaitClientListener(port)
	n := 0
	s.Survives(scene.Program{
		Name: "HAProxy (server … mptcp4@…)", Version: scene.PackageVersion(t, "haproxy"), Us: "server",
		Exchange: func() error {
			n++
			r, err := client.Get(fmt.Sprintf("http://%s/%d", address, n))
			if err != nil {
				return err
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			if want := fmt.Sprintf("/%d by multipath <nil>", n); err != nil || string(b) != want {
				return fmt.Errorf("the answer is %q, %w, not %q", b, err, want)
			}
			return nil
		},
	})
}
