package main

import (
	"context"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// messageSize is that of the messages of a stream.
const (
	messageSize = 64 << 10
	messages    = "64 KiB messages"
)

func streamTable() table {
	return table{
		name: "stream", title: "gRPC, one stream", base: std,
		note: "Messages of 64 KiB to the client over loopback, as fast as they go, on a new connection in each turn. All have the " +
			"flow-control windows of this module.",
		figures: []figure{{"Mbit/s", false}},
		cases: []testCase{{
			name: messages, rounds: 61, warm: true,
			prepare: pairs(sameWindows, func(l *lab, p *pair) []float64 {
				return []float64{p.stream(l, span(250*time.Millisecond), span(80*time.Millisecond))}
			}),
		}},
	}
}

// stream reads a stream for a while after warmUp, and returns Mbit/s of payload.
func (p *pair) stream(l *lab, warmUp, during time.Duration) float64 {
	ctx, cancel := context.WithCancel(l)
	defer cancel()
	s, err := p.client.StreamingOutputCall(ctx, new(testpb.StreamingOutputCallRequest))
	l.check(err)
	begin := time.Now()
	var n int64
	start := begin
	for {
		m, err := s.Recv()
		l.check(err)
		now := time.Now()
		if now.Sub(begin) < warmUp {
			start = now
			continue
		}
		n += int64(len(m.GetPayload().GetBody()))
		if d := now.Sub(start); d >= during {
			return float64(n) * 8 / d.Seconds() / 1e6
		}
	}
}
