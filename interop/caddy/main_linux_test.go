package caddy

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp" // the app "http"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 8080

func TestMain(m *testing.M) { scene.Main(m, serve) }

// run has Caddy serve at an address, by a handler.
func run(address, handler string) error {
	type object = map[string]any
	config, err := json.Marshal(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "ERROR"}}},
		"apps": object{"http": object{"servers": object{"s": object{
			"listen":          []string{address},
			"automatic_https": object{"disable": true},
			"routes":          []object{{"handle": []object{{"handler": handler, "body": "hello"}}}},
		}}}},
	})
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// serve is Caddy as a process of its own, with its own listener.
func serve() error {
	if err := run(fmt.Sprint("0.0.0.0:", port), "static_response"); err != nil {
		return err
	}
	select {}
}
