package handover

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// service ticks at its client, as its client ticks at it, until the client
// has sent its last message.
type service struct {
	testgrpc.UnimplementedTestServiceServer
	every time.Duration
	up    *watch // of what arrives
	down  *watch // of what is sent; may be nil
	fail  func(error)
}

func (s *service) FullDuplexCall(stream grpc.BidiStreamingServer[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]) error {
	stop, sent := make(chan struct{}), make(chan error, 1)
	go func() {
		sent <- send(s.every, stop, s.down, func(b []byte) error {
			return stream.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: b}})
		})
	}()
	var seq sequence
	for {
		in, err := stream.Recv()
		if err != nil {
			close(stop)
			if e := <-sent; err == io.EOF {
				err = errors.Join(e, seq.complete())
				if err != nil {
					s.fail(err)
				}
			}
			return err
		}
		s.up.arrived()
		if err := seq.check(in.GetPayload().GetBody()); err != nil {
			s.fail(err)
			close(stop)
			<-sent
			return err
		}
	}
}

// An rpc is one stream, seen from its client. Its error is of one of two
// kinds: broken, if gRPC ended the stream, or else what the sequence says.
type rpc struct {
	every time.Duration
	down  *watch
	up    *watch // of what is sent; may be nil
	seq   error
}

// run ticks until stop is closed and the stream has ended in good order.
func (r *rpc) run(ctx context.Context, client testgrpc.TestServiceClient, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.FullDuplexCall(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		err := send(r.every, stop, r.up, func(b []byte) error {
			return stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: b}})
		})
		sent <- errors.Join(err, stream.CloseSend())
	}()
	defer func() {
		cancel()
		<-sent
	}()
	var seq sequence
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			r.seq = errors.Join(r.seq, seq.complete())
			return nil
		}
		if err != nil {
			return err
		}
		r.down.arrived()
		if err := seq.check(in.GetPayload().GetBody()); err != nil {
			r.seq = errors.Join(r.seq, err)
		}
	}
}
