package labtest

import (
	"context"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

func TestHandover(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Delay: 30 * time.Millisecond})
	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)

	listener, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", ":80")
	check(t, err)
	s := NewServer()
	go s.Serve(listener)
	defer s.Stop()

	conn, err := NewClient(wifi.Addr(server).String()+":80", &transport.Dialer{NetDialer: phone.Dialer()})
	check(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // or a failed handover would hang
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(conn).StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{})
	check(t, err)
	for tick := range 200 {
		if tick == 50 {
			wifi.Cut()
		}
		message, err := stream.Recv()
		check(t, err)
		seen, err := grpcdialer.FromContext(stream.Context())
		if server := string(message.Payload.Body); server != "multipath" || err != nil || seen.String() != "multipath" {
			t.Fatalf("tick %d: the server sees %s, the client %v, %v", tick, server, seen, err)
		}
	}
	if carried := lte.From(server).Stats().Bytes; carried < 150*20 {
		t.Errorf("150 ticks came without the Wi-Fi, and by LTE %d bytes", carried)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
