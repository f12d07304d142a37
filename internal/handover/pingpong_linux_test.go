package handover

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

// echo sends back what it is sent.
type echo struct {
	testgrpc.UnimplementedTestServiceServer
}

func (echo) FullDuplexCall(s grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	for {
		in, err := s.Recv()
		if err != nil {
			return err
		}
		if err := s.Send(&testpb.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

// exchanges is how many messages go there and back after the handover.
const exchanges = 12

// pingPong loses the first path of a stream on which one message at a time
// goes there and back, and returns how long each exchange took after that.
func pingPong(t mptcptest.TB, c setup) (took [exchanges]time.Duration, err error) {
	s := newScene(t, c)
	l, err := s.listen()
	if err != nil {
		return took, err
	}
	server := grpc.NewServer(s.serverOptions()...)
	testgrpc.RegisterTestServiceServer(server, echo{})
	go server.Serve(listener{l, &s.serverConns})
	defer server.Stop()
	cc, err := s.dial(netip.AddrPortFrom(s.first.Addr(s.server), netip.MustParseAddrPort(l.Addr().String()).Port()).String())
	if err != nil {
		return took, err
	}
	defer cc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	stream, err := testgrpc.NewTestServiceClient(cc).FullDuplexCall(ctx)
	if err != nil {
		return took, err
	}
	exchange := func() error {
		if err := stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: body(0, false)}}); err != nil {
			return err
		}
		_, err := stream.Recv()
		return err
	}
	for start := time.Now(); !s.joined() || time.Since(start) < warmUp; {
		if err := exchange(); err != nil {
			return took, err
		}
	}
	s.kind.lose(s)
	for i := range took {
		start := time.Now()
		if err := exchange(); err != nil {
			return took, err
		}
		took[i] = time.Since(start)
	}
	return took, nil
}

// BenchmarkPingPong prints the median time of each exchange after a handover.
func BenchmarkPingPong(b *testing.B) {
	fmt.Printf("\nTime of each exchange after the handover in seconds, median of repetitions\n\n")
	header := []string{"Handover"}
	for i := range exchanges {
		header = append(header, fmt.Sprint(i+1))
	}
	rows := [][]string{header}
	setups := slices.DeleteFunc(handovers(ours), func(c setup) bool {
		return c.kind.name != "link down" && c.kind.name != "silence"
	})
	all := make([][exchanges][]time.Duration, len(setups))
	for b.Loop() {
		for i, c := range setups {
			var took [exchanges]time.Duration
			var err error
			within(b, func(t *tb) { took, err = pingPong(t, c) })
			if err != nil {
				b.Fatalf("%v: %v", c, err)
			}
			for n := range took {
				all[i][n] = append(all[i][n], took[n])
			}
		}
	}
	for i, c := range setups {
		row := []string{c.what()}
		for _, took := range all[i] {
			slices.Sort(took)
			row = append(row, fmt.Sprintf("%.2f", took[len(took)/2].Seconds()))
		}
		rows = append(rows, row)
	}
	b.ReportMetric(0, "ns/op")
	table(rows)
}
