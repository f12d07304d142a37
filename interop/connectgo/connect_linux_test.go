package connectgo

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const procedure = "/interop.v1.Echo/Chat"

// echo answers each message with itself.
func echo(_ context.Context, stream *connect.BidiStream[wrapperspb.StringValue, wrapperspb.StringValue]) error {
	for {
		m, err := stream.Receive()
		if err != nil {
			return nil //nolint:nilerr // the client has finished
		}
		if err := stream.Send(m); err != nil {
			return err
		}
	}
}

// TestConnect has a bidirectional stream of connect-go, by HTTP/2 without TLS,
// outlive its path.
func TestConnect(t *testing.T) {
	s := scene.New(t)
	mux := http.NewServeMux()
	var seen error
	handler := connect.NewBidiStreamHandler(procedure, echo)
	mux.HandleFunc(procedure, func(w http.ResponseWriter, r *http.Request) {
		status, err := httptransport.FromRequest(r)
		if err != nil || status.String() != "multipath" {
			seen = fmt.Errorf("the handler sees %v, %w", status, err)
		}
		handler.ServeHTTP(w, r)
	})
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: h2c}
	go server.Serve(s.Listen(80))
	t.Cleanup(func() { server.Close() })

	transport := httptransport.New(s.Dialer())
	transport.Protocols = h2c
	t.Cleanup(transport.CloseIdleConnections)
	client := connect.NewClient[wrapperspb.StringValue, wrapperspb.StringValue](
		&http.Client{Transport: transport}, "http://"+s.Address(80)+procedure)
	stream := client.CallBidiStream(t.Context())
	n := 0
	s.Survives(scene.Program{
		Name: "connect-go", Version: scene.ModuleVersion(t, "connectrpc.com/connect"), Us: "client and server",
		Exchange: func() error {
			n++
			sent := fmt.Sprint("message ", n)
			if err := stream.Send(wrapperspb.String(sent)); err != nil {
				return err
			}
			m, err := stream.Receive()
			if err == nil && m.GetValue() != sent {
				err = fmt.Errorf("got %q for %q", m.GetValue(), sent)
			}
			return err
		},
	})
	if err := stream.CloseRequest(); err != nil {
		t.Error(err)
	}
	if seen != nil {
		t.Error(seen)
	}
}
