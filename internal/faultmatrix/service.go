package faultmatrix

import (
	"context"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// body is what is sent in each message, and expected back.
const body = "tick, tick, tick"

// echo is the service.
type echo struct {
	testgrpc.UnimplementedTestServiceServer
}

func (echo) UnaryCall(_ context.Context, in *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return &testpb.SimpleResponse{Payload: in.GetPayload()}, nil
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

func payload() *testpb.Payload { return &testpb.Payload{Body: []byte(body)} }

func fate(answer *testpb.Payload, err error) Fate {
	switch {
	case err != nil:
		return Fate(status.Code(err).String())
	case string(answer.GetBody()) != body:
		return Altered
	}
	return OK
}

// unary does one RPC.
func unary(cc *grpc.ClientConn, most time.Duration) (Fate, error) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	answer, err := testgrpc.NewTestServiceClient(cc).UnaryCall(ctx, &testpb.SimpleRequest{Payload: payload()})
	return fate(answer.GetPayload(), err), err
}

// A ticker is a stream on which a message goes back and forth.
type ticker struct {
	stream grpc.BidiStreamingClient[testpb.StreamingOutputCallRequest, testpb.StreamingOutputCallResponse]
	fate   Fate
	stall  time.Duration // the longest exchange
}

// pause is the time between two ticks.
const pause = 10 * time.Millisecond

func newTicker(ctx context.Context, cc *grpc.ClientConn) *ticker {
	s, err := testgrpc.NewTestServiceClient(cc).FullDuplexCall(ctx)
	if err != nil {
		return &ticker{fate: fate(nil, err)}
	}
	return &ticker{stream: s, fate: OK}
}

// tick goes on for at least n messages and the time d, or until the stream
// fails.
func (t *ticker) tick(n int, d time.Duration) {
	t.stall = 0
	for start := time.Now(); t.fate.Completed() && (n > 0 || time.Since(start) < d); n-- {
		sent := time.Now()
		// The error of Send is io.EOF, and that of Recv says why.
		_ = t.stream.Send(&testpb.StreamingOutputCallRequest{Payload: payload()})
		answer, err := t.stream.Recv()
		if f := fate(answer.GetPayload(), err); f != OK {
			t.fate = f
		}
		t.stall = max(t.stall, time.Since(sent))
		time.Sleep(pause)
	}
}
