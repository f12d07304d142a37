package handover

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// The peer has lost its state, as after a reboot: it answers whatever is sent
// to it with a reset, for half a second, and takes new connections after that.
// Over Multipath TCP, whose socket would live on for a minute, clients fare as
// over TCP.
const reboot = 500 * time.Millisecond

func eachMode(t *testing.T, f func(t *testing.T, link *mptcptest.Link, d *transport.Dialer, ln net.Listener)) {
	for _, mode := range []transport.Mode{transport.Require, transport.Off} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			lab := mptcptest.New(t)
			phone, server := lab.Host("phone"), lab.Host("server")
			link := lab.Link(phone, server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
			lc := transport.ListenConfig{NetListenConfig: server.ListenConfig()}
			ln, err := lc.Listen(t.Context(), "tcp", netip.AddrPortFrom(link.Addr(server), 0).String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
			f(t, link, &transport.Dialer{NetDialer: phone.Dialer(), Memory: new(transport.Memory), Mode: mode}, ln)
		})
	}
}

// TestPeerLostGRPC: a stream that waits and the one that writes end at once,
// with the code that tells the caller to try again, and the next RPC works.
func TestPeerLostGRPC(t *testing.T) {
	eachMode(t, func(t *testing.T, link *mptcptest.Link, d *transport.Dialer, ln net.Listener) {
		server := grpc.NewServer(grpcdialer.ServerOptions()...)
		testgrpc.RegisterTestServiceServer(server, echo{})
		go server.Serve(ln)
		defer server.Stop()
		cc, err := grpc.NewClient("passthrough:///"+ln.Addr().String(), append(
			grpcdialer.DialOptions(grpcdialer.WithDialer(d)), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer cc.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		client := testgrpc.NewTestServiceClient(cc)
		exchange := func(stream grpc.BidiStreamingClient[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
			if err := stream.Send(new(testpb.StreamingOutputCallRequest)); err != nil && err != io.EOF {
				return err
			}
			_, err := stream.Recv() // which has the reason if Send says io.EOF
			return err
		}
		waits, err := client.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		writes, err := client.FullDuplexCall(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := exchange(waits); err != nil {
			t.Fatal(err)
		}
		if err := exchange(writes); err != nil {
			t.Fatal(err)
		}
		heal := link.Inject(mptcptest.ResetAll())
		time.AfterFunc(reboot, heal)
		start := time.Now()
		err = exchange(writes)
		if took := time.Since(start); status.Code(err) != codes.Unavailable || took > time.Second {
			t.Errorf("the stream that writes: %v after %v", err, took)
		}
		_, err = waits.Recv()
		if took := time.Since(start); status.Code(err) != codes.Unavailable || took > time.Second {
			t.Errorf("the stream that waits: %v after %v", err, took)
		}
		t.Logf("streams ended after %v", time.Since(start))
		next, err := client.FullDuplexCall(ctx, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if err := exchange(next); err != nil {
			t.Errorf("the next stream: %v", err)
		}
	})
}

// TestPeerLostHTTP: a request on a connection whose peer has forgotten it is
// sent again on another one, by net/http itself, if it may be; and if it may
// not be, it fails at once.
func TestPeerLostHTTP(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		t.Run(method, func(t *testing.T) {
			eachMode(t, func(t *testing.T, link *mptcptest.Link, d *transport.Dialer, ln net.Listener) {
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprint(w, r.Method)
				}))
				server.Listener.Close()
				server.Listener = ln
				server.Start()
				defer server.Close()
				tr := httptransport.New(d)
				defer tr.CloseIdleConnections()
				client := http.Client{Transport: tr, Timeout: 30 * time.Second}
				request := func() error {
					r, err := http.NewRequest(method, server.URL, nil)
					if err != nil {
						t.Fatal(err)
					}
					if method == http.MethodPost {
						r.Body, r.GetBody = io.NopCloser(http.NoBody), nil
						r.ContentLength = -1 // cannot be sent again
					}
					response, err := client.Do(r)
					if err != nil {
						return err
					}
					defer response.Body.Close()
					if b, err := io.ReadAll(response.Body); string(b) != method || err != nil {
						t.Errorf("%q, %v", b, err)
					}
					return nil
				}
				if err := request(); err != nil {
					t.Fatal(err)
				}
				// net/http is told at once or soon, and does not wait before it
				// tries again: by then the peer is back.
				d.NetDialer.Control = before(d.NetDialer.Control, link.Inject(mptcptest.ResetAll()))
				start := time.Now()
				err := request()
				took := time.Since(start)
				t.Logf("%v after %v", err, took)
				if (err == nil) != (method == http.MethodGet) {
					t.Errorf("%v", err)
				}
				if took > 3*time.Second { // mostly less than one
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// before calls f before each socket connects.
func before(next func(network, address string, c syscall.RawConn) error, f func()) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		f()
		return next(network, address, c)
	}
}
