package nats

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

func TestMain(m *testing.M) { scene.Main(m, serve) }

// serve is NATS's server with its own listener, which is package net's.
func serve() error {
	s, err := server.NewServer(&server.Options{Host: "0.0.0.0", Port: port, NoSigs: true})
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("the server does not get ready")
	}
	s.WaitForShutdown()
	return errors.New("the server has stopped")
}
