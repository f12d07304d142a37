package grpcdialer_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// The tests run in namespaces of their own, so that names which are looked up
// in vain are not looked up in the world.
func TestMain(m *testing.M) { mptcptest.MainOptional(m) }

// labServer serves the test service at the address of host on link.
func labServer(t *testing.T, host *mptcptest.Host, link *mptcptest.Link, reports *recorder) string {
	t.Helper()
	lc := transport.ListenConfig{NetListenConfig: host.ListenConfig()}
	ln, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(link.Addr(host), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ln, grpcdialer.ServerOptions(grpcdialer.WithReporter(reports.report))...)
	return ln.Addr().String()
}

func labClient(t *testing.T, host *mptcptest.Host, address string, reports *recorder, memory *transport.Memory) *grpc.ClientConn {
	t.Helper()
	return client(t, address, append(grpcdialer.DialOptions(
		grpcdialer.WithReporter(reports.report),
		grpcdialer.WithDialer(&transport.Dialer{NetDialer: host.Dialer(), Memory: memory}),
	), plaintext)...)
}

// What a middlebox does to the option is named in the report of the RPC, on
// both ends, and costs the RPC little.
func TestReasonsInLab(t *testing.T) {
	for _, c := range []struct {
		name           string
		fault          mptcptest.Fault
		client, second mptcp.Reason // of the first RPC, and of one over another connection
	}{
		{"stripped", mptcptest.StripMPTCP(mptcptest.OnSYN), mptcp.ReasonNotAnswered, mptcp.ReasonNotAnswered},
		{"dropped", mptcptest.DropMPTCPSYN(), mptcp.ReasonSYNDropped, mptcp.ReasonRemembered},
		{"reset", mptcptest.ResetMPTCPSYN(), mptcp.ReasonSYNReset, mptcp.ReasonRemembered},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab := mptcptest.New(t)
			phone, server := lab.Host("phone"), lab.Host("server")
			link := lab.Link(phone, server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
			clientSide, serverSide := new(recorder), new(recorder)
			address := labServer(t, server, link, serverSide)
			link.Inject(c.fault)

			memory := new(transport.Memory)
			for i, want := range []mptcp.Reason{c.client, c.second} {
				cc := labClient(t, phone, address, clientSide, memory)
				if _, err := testgrpc.NewTestServiceClient(cc).EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
					t.Fatal(err)
				}
				r := clientSide.wait(t, i+1)[i]
				if i == 1 && r.Status.Reason == mptcp.ReasonSYNReset {
					want = mptcp.ReasonSYNReset // more than a second later a dial tries again
				}
				if r.Status.State != mptcp.Fallback || r.Status.Reason != want || r.Duration > 2*time.Second {
					t.Errorf("RPC %d: client: %v after %v, want fallback (%v)", i+1, r.Status, r.Duration, want)
				}
				if s := serverSide.wait(t, i+1)[i].Status; s.State != mptcp.TCP || s.Reason != mptcp.ReasonNotOffered {
					t.Errorf("RPC %d: server: %v, want tcp (%v)", i+1, s, mptcp.ReasonNotOffered)
				}
			}
		})
	}
}

// A connection that falls back between two RPCs is reported as such from then
// on: the status of an RPC is its own and not that of the dial.
func TestFallbackBetweenRPCs(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	link := lab.Link(phone, server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	clientSide, serverSide := new(recorder), new(recorder)
	cc := labClient(t, phone, labServer(t, server, link, serverSide), clientSide, nil)
	tc := testgrpc.NewTestServiceClient(cc)
	call := func() {
		t.Helper()
		if _, err := tc.EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
			t.Fatal(err)
		}
	}
	call()
	link.Inject(mptcptest.StripMPTCP(mptcptest.Always))
	call()
	call()
	reports := clientSide.wait(t, 3)
	first, last := reports[0].Status, reports[2].Status
	if first.State != mptcp.Multipath || last.State != mptcp.Fallback || last.Reason != mptcp.ReasonMidStream {
		t.Errorf("client: first %v, last %v", first, last)
	}
	if reports[0].LocalAddr != reports[2].LocalAddr {
		t.Error("the RPCs did not share a connection")
	}
	if s := serverSide.wait(t, 3)[2].Status; s.State != mptcp.Fallback || s.Reason != mptcp.ReasonMidStream {
		t.Errorf("server: %v", s)
	}
}

// A stream outlives the path that it began on.
func TestStreamOutlivesPath(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Delay: 20 * time.Millisecond})
	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)
	phone.SetLimits(2, 2)
	server.SetLimits(2, 2)
	clientSide, serverSide := new(recorder), new(recorder)
	cc := labClient(t, phone, labServer(t, server, wifi, serverSide), clientSide, nil)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream := open(ctx, t, testgrpc.NewTestServiceClient(cc))
	request := &testpb.StreamingOutputCallRequest{ResponseParameters: []*testpb.ResponseParameters{{Size: 100}}}
	exchange := func() {
		t.Helper()
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	for n := 0; n < 2; {
		s, err := grpcdialer.FromContext(stream.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, _ = s.Subflows()
		if ctx.Err() != nil {
			t.Fatalf("no second subflow: %v", s)
		}
		time.Sleep(time.Millisecond)
	}
	wifi.Cut()
	start := time.Now()
	for range 3 {
		exchange()
	}
	t.Logf("three messages after the cut: %v", time.Since(start))
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Fatal("the stream did not end")
	}
	for _, r := range []*recorder{clientSide, serverSide} {
		if report := r.wait(t, 1)[0]; report.Err != nil || report.Status.State != mptcp.Multipath {
			t.Errorf("%+v", report)
		}
	}
}
