package caddy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

// TestCaddy has a client of this module talk to Caddy as it is, whose listener
// is package net's.
func TestCaddy(t *testing.T) {
	s := scene.New(t)
	scene.StartSelf(t, s.Server)
	s.AwaitListener(port)
	s.Survives(scene.Program{
		Name: "Caddy", Version: version(t), Us: "client",
		Exchange: s.Get("http://"+s.Address(port), "hello", "multipath"),
	})
}

// register makes Caddy know this test's network and handler, which it allows
// only once in a process. A listener of the network is what listen returns.
var (
	listen   func() net.Listener
	register = sync.OnceFunc(func() {
		caddy.RegisterNetwork("mptcp", func(context.Context, string, string, string, uint, net.ListenConfig) (any, error) {
			return listen(), nil
		})
		caddy.RegisterModule(statusHandler{})
	})
)

// TestCaddyListener has Caddy serve on a listener of this module, by a module
// of Caddy that says what it sees.
func TestCaddyListener(t *testing.T) {
	s := scene.New(t)
	listen = func() net.Listener { return s.Listen(port) }
	register()
	if err := run(fmt.Sprint("mptcp/0.0.0.0:", port), "mptcp_status"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caddy.Stop() })
	s.Survives(scene.Program{
		Name: "Caddy, as a module", Version: version(t), Us: "client and server",
		Exchange: s.Get("http://"+s.Address(port), "multipath <nil>", "multipath"),
	})
}

func version(t *testing.T) string { return scene.ModuleVersion(t, "github.com/caddyserver/caddy/v2") }

// A statusHandler is a handler for Caddy that answers with the status of the
// request.
type statusHandler struct {
	Body string `json:"body,omitempty"` // not used
}

// CaddyModule implements caddy.Module.
func (statusHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.mptcp_status", New: func() caddy.Module { return new(statusHandler) }}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (statusHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	status, err := httptransport.FromRequest(r)
	_, err = fmt.Fprint(w, status, " ", err)
	return err
}
