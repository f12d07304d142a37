package nats

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 4222

// A dialer makes a dialer of this module one of NATS, which knows no contexts.
type dialer func(network, address string) (net.Conn, error)

// Dial implements nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// TestNATS has a client with a dialer of this module, and a server with a
// listener of its own. A subscription outlives its path.
func TestNATS(t *testing.T) {
	s := scene.New(t)
	scene.StartSelf(t, s.Server)
	s.AwaitListener(port)
	c, err := nats.Connect(s.Address(port), nats.SetCustomDialer(dialer(s.Dialer().Dial)), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	sub, err := c.SubscribeSync("subject")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	s.Survives(scene.Program{
		Name: "NATS", Version: scene.ModuleVersion(t, "github.com/nats-io/nats-server/v2"), Us: "client",
		Exchange: func() error {
			n++
			sent := fmt.Sprint("message ", n)
			if err := c.Publish("subject", []byte(sent)); err != nil {
				return err
			}
			m, err := sub.NextMsg(20 * time.Second)
			if err == nil && string(m.Data) != sent {
				err = fmt.Errorf("got %q for %q", m.Data, sent)
			}
			return err
		},
	})
}
