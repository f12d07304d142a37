package grpcdialer_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

const retryConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"methodConfig": [{
		"name": [{}],
		"retryPolicy": {
			"maxAttempts": 4, "initialBackoff": "0.001s", "maxBackoff": "0.001s",
			"backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]
		}
	}]
}`

// flaky fails the first attempts of each RPC.
type flaky struct {
	testgrpc.UnimplementedTestServiceServer
	failures *atomic.Int32
}

func (s flaky) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "not yet")
	}
	return new(testpb.Empty), nil
}

func (s flaky) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if s.failures.Add(-1) >= 0 {
		return status.Error(codes.Unavailable, "not yet")
	}
	return stream.Send(new(testpb.StreamingOutputCallResponse))
}

// attempts counts what gRPC itself says of attempts.
type attempts struct {
	nopStats
	mu                 sync.Mutex
	total, transparent int
	locals             []net.Addr
}

func (a *attempts) HandleRPC(_ context.Context, s stats.RPCStats) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch s := s.(type) {
	case *stats.Begin:
		a.total++
		if s.IsTransparentRetryAttempt {
			a.transparent++
		}
	case *stats.OutHeader:
		a.locals = append(a.locals, s.LocalAddr)
	}
}

// Configured retries, over two connections by turns: the RPC is reported once,
// with the connection of its last attempt.
func TestRetries(t *testing.T) {
	needMultipath(t)
	checkLeaks(t)
	var failures atomic.Int32
	multipath, plain := listen(t, transport.Prefer), listen(t, transport.Off)
	serveService(t, multipath, flaky{failures: &failures})
	serveService(t, plain, flaky{failures: &failures})
	r := manual.NewBuilderWithScheme("two")
	r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: multipath.Addr().String()}, {Addr: plain.Addr().String()}}})

	for _, stream := range []bool{false, true} {
		reports, counted := new(recorder), new(attempts)
		cc := client(t, "two:///", append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext,
			grpc.WithResolvers(r), grpc.WithDefaultServiceConfig(retryConfig), grpc.WithStatsHandler(counted))...)
		tc := testgrpc.NewTestServiceClient(cc)
		ctx := testContext(t)
		// Until both connections are there, the balancer knows only one.
		seen := map[mptcp.State]bool{}
		n := 0
		for ; len(seen) < 2 && n < 1000; n++ {
			var s mptcp.Status
			if _, err := tc.EmptyCall(ctx, new(testpb.Empty), grpcdialer.Status(&s)); err != nil {
				t.Fatal(err)
			}
			seen[s.State] = true
		}
		if !seen[mptcp.Multipath] || !seen[mptcp.Fallback] {
			t.Fatalf("seen %v, want one connection of each kind", seen)
		}

		for range 4 { // the last attempt is on either connection
			failures.Store(2)
			counted.total, counted.locals = 0, nil
			var s mptcp.Status
			var p peer.Peer
			n++
			if stream {
				st := open(ctx, t, tc, grpcdialer.Status(&s), grpc.Peer(&p))
				if err := st.Send(new(testpb.StreamingOutputCallRequest)); err != nil {
					t.Fatal(err)
				}
				if _, err := st.Recv(); err != nil {
					t.Fatal("not retried:", err)
				}
				if _, err := st.Recv(); err != io.EOF {
					t.Fatal(err)
				}
			} else if _, err := tc.EmptyCall(ctx, new(testpb.Empty), grpcdialer.Status(&s), grpc.Peer(&p)); err != nil {
				t.Fatal("not retried:", err)
			}
			report := reports.wait(t, n)[n-1]
			if counted.total != 3 || len(counted.locals) != 3 {
				t.Fatalf("%d attempts, want 3", counted.total)
			}
			if last := counted.locals[2]; report.LocalAddr != last || p.LocalAddr != last {
				t.Errorf("reported %v, peer %v, want that of the last attempt, %v", report.LocalAddr, p.LocalAddr, last)
			}
			if want, err := mptcp.InspectAddr(report.LocalAddr); err != nil || report.Status.State != want.State || s.State != want.State {
				t.Errorf("reported %v, option %v, want %v (%v)", report.Status, s, want, err)
			}
			// Three attempts over two connections: not all on the same.
			if counted.locals[0] == counted.locals[1] || counted.locals[1] == counted.locals[2] {
				t.Errorf("attempts were not spread: %v", counted.locals)
			}
		}
	}
}

// refusing makes the first connection that a listener accepts send GOAWAY for
// the first stream, which gRPC then retries by itself, without a policy.
type refusing struct {
	net.Listener
	first sync.Once
	done  chan struct{}
}

func (l *refusing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	first := false
	l.first.Do(func() { first = true })
	if !first {
		return c, nil
	}
	go func() {
		defer close(l.done)
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		if f.WriteSettings() != nil {
			return
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if _, ok := frame.(*http2.HeadersFrame); ok {
				if f.WriteGoAway(0, http2.ErrCodeNo, nil) != nil {
					return
				}
			}
		}
	}()
	return l.Accept()
}

func TestTransparentRetry(t *testing.T) {
	needMultipath(t)
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			checkLeaks(t)
			ln := &refusing{Listener: listen(t, transport.Prefer), done: make(chan struct{})}
			serve(t, ln)
			reports, counted := new(recorder), new(attempts)
			cc := client(t, ln.Addr().String(), append(grpcdialer.DialOptions(grpcdialer.WithReporter(reports.report)), plaintext, grpc.WithStatsHandler(counted))...)
			tc := testgrpc.NewTestServiceClient(cc)
			if stream {
				st := open(testContext(t), t, tc)
				if err := st.CloseSend(); err != nil {
					t.Fatal(err)
				}
				if _, err := st.Recv(); err != io.EOF {
					t.Fatal(err)
				}
			} else if _, err := tc.EmptyCall(testContext(t), new(testpb.Empty)); err != nil {
				t.Fatal(err)
			}
			<-ln.done
			r := reports.wait(t, 1)[0]
			if counted.total != 2 || counted.transparent != 1 || r.Err != nil || r.Status.State != mptcp.Multipath {
				t.Errorf("%d attempts, %d transparent, report %+v", counted.total, counted.transparent, r)
			}
		})
	}
}
