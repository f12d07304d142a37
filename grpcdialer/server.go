package grpcdialer

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/recent"
	"github.com/multipath-go/mptcp/internal/statustext"
)

// UnaryServerInterceptor returns an interceptor that calls r at the end of each
// RPC. [ServerOptions] installs it if there is a reporter. It allocates nothing
// beyond the two allocations that gRPC spends on any interceptor, and one in twenty
// milliseconds for each connection.
func UnaryServerInterceptor(r Reporter) grpc.UnaryServerInterceptor {
	return server{report: r}.unary
}

// StreamServerInterceptor is [UnaryServerInterceptor] for streams. It does not
// wrap the stream.
func StreamServerInterceptor(r Reporter) grpc.StreamServerInterceptor {
	return server{report: r}.stream
}

type server struct {
	report  Reporter // may be nil
	trailer bool
}

func (s server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start := recent.Now()
	resp, err := handler(ctx, req)
	trailer := s.finish(ctx, start, info.FullMethod, false, err)
	if trailer != nil {
		_ = grpc.SetTrailer(ctx, trailer) // fails only outside of a handler
	}
	return resp, err
}

func (s server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	start := recent.Now()
	err := handler(srv, ss)
	trailer := s.finish(ss.Context(), start, info.FullMethod, true, err)
	if trailer != nil {
		ss.SetTrailer(trailer)
	}
	return err
}

// finish makes the report, hands it over, and returns the trailer to send. The
// report is made here and not by the caller, on whose frame the handler's are: a
// goroutine for each RPC begins with a small stack, and to grow it is a twelfth of
// what an RPC costs.
func (s server) finish(ctx context.Context, start time.Duration, method string, stream bool, err error) (trailer metadata.MD) {
	p, _ := peer.FromContext(ctx)
	var report Report // field by field: a literal would be on the stack once more
	report.Method, report.Side, report.Stream, report.Err = method, Server, stream, err
	report.look(p, start, s.trailer)
	if s.trailer {
		trailer = newTrailer(&report.Status)
	}
	if s.report != nil {
		s.report(ctx, report)
	}
	return trailer
}

// newTrailer makes the trailer. It is not inlined, to save the stack of those who
// want none.
//
//go:noinline
func newTrailer(s *mptcp.Status) metadata.MD {
	return metadata.Pairs(TrailerKey, statustext.Format(*s))
}
