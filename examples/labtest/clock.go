package labtest

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/transport"
)

// Clock is a service that ticks until its client has had enough. Each tick
// carries what the server sees of the connection.
type Clock struct {
	testgrpc.UnimplementedTestServiceServer
}

// NewServer returns a server of a Clock, to be served on a listener of package
// transport.
func NewServer() *grpc.Server {
	s := grpc.NewServer(grpcdialer.ServerOptions()...)
	testgrpc.RegisterTestServiceServer(s, Clock{})
	return s
}

// NewClient returns a client of the Clock at an address. The zero dialer will
// do outside of a test.
func NewClient(address string, d *transport.Dialer) (*grpc.ClientConn, error) {
	options := grpcdialer.DialOptions(grpcdialer.WithDialer(d))
	return grpc.NewClient(address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
}

// StreamingOutputCall ticks every 10 milliseconds.
func (Clock) StreamingOutputCall(_ *testpb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[testpb.StreamingOutputCallResponse]) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-ticker.C:
		}
		status, err := grpcdialer.FromContext(stream.Context())
		if err != nil {
			return err
		}
		tick := &testpb.Payload{Body: []byte(status.String())}
		if err := stream.Send(&testpb.StreamingOutputCallResponse{Payload: tick}); err != nil {
			return err
		}
	}
}
