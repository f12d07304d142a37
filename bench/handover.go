package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

func handoverTable() table {
	t := table{
		name: "handover", title: "Longest gap at a handover",
		note: "A stream carries 1 KiB in each direction every 10 ms, and loses the first of two paths, of 10 and 40 ms there and back. " +
			"The gap is the longest time between two arrivals at one end. With Multipath TCP no stream ends; \"backup\" is a second " +
			"subflow that carries nothing before. TCP and package net have the windows that gRPC chooses. TCP has keep-alive of gRPC with a timeout of 2 s, and a client that knows the second " +
			"path and begins a new stream when one ends, which loses what was under way. QUIC has validated the second path before, " +
			"and its client moves the connection there when nothing has arrived for 250 ms. ∞ is a stream that did not go on: quic-go gives a connection up when the system refuses to send. Everything about this is in " +
			"[handover.md](handover.md).",
		figures:  []figure{{"seconds", true}},
		together: true,
	}
	for _, c := range []struct {
		name string
		lose func(*scene)
	}{
		{"link down at the client", func(s *scene) { s.first.CutAt(s.client) }},
		{"silence", func(s *scene) { s.first.Inject(mptcptest.DropAll()) }},
	} {
		t.cases = append(t.cases, testCase{name: c.name, rounds: 7, prepare: func(*lab) (ways []way) {
			add := func(name string, flags mptcptest.EndpointFlags, run func(*scene)) {
				ways = append(ways, way{name, func(l *lab) []float64 {
					s := newScene(l, flags)
					go run(s)
					return []float64{s.gap(c.lose)}
				}})
			}
			active, backup := mptcptest.Subflow, mptcptest.Subflow|mptcptest.Backup
			add(tcp, 0, (*scene).overTCP)
			for _, stack := range []string{std, ours} {
				add(stack+", active", active, func(s *scene) { s.overMultipath(stack) })
				add(stack+", backup", backup, func(s *scene) { s.overMultipath(stack) })
			}
			add(overQUIC, 0, (*scene).overQUIC)
			return ways
		}})
	}
	return t
}

// A scene is a client and a server with two paths between them, and a stream.
type scene struct {
	*lab
	network
	first, second *mptcptest.Link
	up, down      watch
	ready         atomic.Bool  // both paths are in use, as far as they should be
	failed        atomic.Value // why the stream is not there any more
}

func newScene(l *lab, flags mptcptest.EndpointFlags) *scene {
	s := &scene{lab: l}
	built, client, server := newHosts(l, fair)
	s.first = built.Link(client, server, mptcptest.LinkConfig{Delay: 5 * time.Millisecond})
	s.second = built.Link(client, server, mptcptest.LinkConfig{Delay: 20 * time.Millisecond})
	if flags != 0 {
		client.AddEndpoint(s.second.Addr(client), flags)
	}
	s.network = network{client, server, s.first.Addr(server)}
	return s
}

// gap loses the first path and returns for how many seconds the stream stood
// still.
func (s *scene) gap(lose func(*scene)) float64 {
	const calm = 400 * time.Millisecond
	for !s.ready.Load() || s.up.count() < 10 || s.down.count() < 10 {
		if err, failed := s.failed.Load().(error); failed {
			s.check(err)
		}
		s.check(context.Cause(s))
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(calm)
	s.up.begin()
	s.down.begin()
	lose(s)
	time.Sleep(calm)
	for !s.up.calm(calm) || !s.down.calm(calm) {
		if err, failed := s.failed.Load().(error); failed || s.Err() != nil {
			fmt.Fprintf(os.Stderr, "      the stream does not go on: %v\n", errors.Join(err, context.Cause(s)))
			return math.Inf(1)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return max(s.up.gap(), s.down.gap()).Seconds()
}

// fail gives the stream up.
func (s *scene) fail(err error) { s.failed.CompareAndSwap(nil, errors.New(err.Error())) }

func (s *scene) overMultipath(stack string) {
	p := connect(s.lab, s.network, stack, grpcWindows, ticking{up: &s.up})
	go func() {
		for s.Err() == nil && !s.ready.Load() {
			st, err := mptcp.Inspect(p.conn.Load())
			n, _ := st.Subflows()
			s.ready.Store(err == nil && n > 1)
			time.Sleep(2 * time.Millisecond)
		}
	}()
	s.fail(s.stream(p))
}

func (s *scene) overTCP() {
	dial := s.dialer(tcp)
	var dials atomic.Int32
	p := connect(s.lab, s.network, tcp, grpcWindows, ticking{up: &s.up},
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				at := netip.MustParseAddrPort(address)
				address = netip.AddrPortFrom(s.second.Addr(s.server), at.Port()).String()
			}
			return dial(ctx, "tcp", address)
		}))
	s.ready.Store(true)
	for s.Err() == nil {
		_ = s.stream(p) // broken: begin another one
	}
}

// stream ticks until the stream is broken.
func (s *scene) stream(p *pair) error {
	ctx, cancel := context.WithCancel(s)
	defer cancel()
	stream, err := p.client.FullDuplexCall(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	go tick(ctx, func(b []byte) error {
		return stream.Send(&testpb.StreamingOutputCallRequest{Payload: &testpb.Payload{Body: b}})
	})
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		s.down.arrived()
	}
}

// ticking is the server's side.
type ticking struct {
	service
	up *watch
}

func (t ticking) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	go tick(stream.Context(), func(b []byte) error {
		return stream.Send(&testpb.StreamingOutputCallResponse{Payload: &testpb.Payload{Body: b}})
	})
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		t.up.arrived()
	}
}
