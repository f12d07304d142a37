package handover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// A setup is what a handover is measured with.
type setup struct {
	stack  stack
	kind   kind
	backup bool // the second path is a backup

	userTimeout time.Duration // of this module, if not the usual one

	// What an application, or an administrator, may try.
	lever lever
}

func (c setup) String() string {
	return c.what() + ", " + c.stack.String()
}

// what names the handover.
func (c setup) what() string {
	switch {
	case c.kind.oneMode:
		return c.kind.name
	case c.backup:
		return c.kind.name + ", backup"
	}
	return c.kind.name + ", active"
}

// A scene is a phone and a server with two paths between them, and a stream.
type scene struct {
	setup
	t             mptcptest.TB
	phone, server *mptcptest.Host
	first, second *mptcptest.Link
	clientConns   conns
	serverConns   conns

	mu  sync.Mutex
	err error
}

func (s *scene) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

func (s *scene) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// A result is what became of a stream.
type result struct {
	gap      time.Duration // the longest in either direction
	up, down time.Duration // the longest from the client and to it
	lag      time.Duration // the longest that a message was on its way
	failed   int           // streams that gRPC ended
	err      error         // of the sequence, or a stream that did not go on
}

const (
	congestionHere = "reno" // the hosts' default: every user may use it in a namespace, and it is no BBR
	warmUp         = 400 * time.Millisecond
	calmFor        = 400 * time.Millisecond
	patience       = 30 * time.Second
	silentAfter    = 50 * time.Millisecond // of a Manager
)

func newScene(t mptcptest.TB, c setup) *scene {
	lab := mptcptest.New(t)
	s := &scene{setup: c, t: t, phone: lab.Host("phone"), server: lab.Host("server")}
	for _, h := range []*mptcptest.Host{s.phone, s.server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", congestionHere)
		for name, value := range c.lever.sysctls {
			h.Sysctl(name, value)
		}
		h.SetLimits(2, 2)
	}
	s.first = lab.Link(s.phone, s.server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond})
	s.second = lab.Link(s.phone, s.server, mptcptest.LinkConfig{Name: "lte", Delay: 20 * time.Millisecond})
	if c.kind.breakFirst {
		s.second.Cut()
	}
	switch {
	case c.stack == managed:
		s.manage()
	case c.stack != tcp:
		s.phone.AddEndpoint(s.first.Addr(s.phone), mptcptest.Subflow)
		if !c.kind.breakFirst {
			s.phone.AddEndpoint(s.second.Addr(s.phone), s.flags())
		}
	}
	return s
}

// manage has a Manager see to the phone's endpoints, as long as the scene lasts.
func (s *scene) manage() {
	m := pathmanager.Manager{SilentAfter: silentAfter}
	if !s.backup {
		m.Config.Mode = pathmanager.Interactive
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go s.phone.Do(func() {
		defer close(ended)
		if err := m.Run(ctx); err != nil {
			s.fail(err)
		}
	})
	s.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func (s *scene) flags() mptcptest.EndpointFlags {
	if s.backup {
		return mptcptest.Subflow | mptcptest.Backup
	}
	return mptcptest.Subflow
}

// measure has a stream tick, takes the first path away from it, waits until it
// ticks again, and ends it.
func measure(t mptcptest.TB, c setup) (r result) {
	s := newScene(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()

	var up, down watch
	l, err := s.listen()
	if err != nil {
		return result{err: err}
	}
	server := grpc.NewServer(s.serverOptions()...)
	testgrpc.RegisterTestServiceServer(server, &service{every: tickEvery, up: &up, down: &down, fail: s.fail})
	go server.Serve(listener{l, &s.serverConns})
	defer server.Stop()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	cc, err := s.dial(netip.AddrPortFrom(s.first.Addr(s.server), port).String(), netip.AddrPortFrom(s.second.Addr(s.server), port).String())
	if err != nil {
		return result{err: err}
	}
	defer cc.Close()

	stop, done := make(chan struct{}), make(chan struct{})
	stream := rpc{every: tickEvery, down: &down, up: &up}
	go func() {
		defer close(done)
		for {
			err := stream.run(ctx, testgrpc.NewTestServiceClient(cc), stop)
			if err == nil || ctx.Err() != nil {
				s.fail(ctx.Err())
				return
			}
			r.failed++
			if s.stack != tcp {
				s.fail(err)
				return
			}
		}
	}()
	ended := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	until := func(ok func() bool, what string) bool {
		for start := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
			if ended() || time.Since(start) > patience {
				s.fail(fmt.Errorf("%s in %v", what, time.Since(start)))
				return false
			}
		}
		return true
	}
	good := until(func() bool { return s.joined() && up.count() > 10 && down.count() > 10 }, "the stream does not begin")
	if good {
		time.Sleep(warmUp)
		if s.lever.guard != nil {
			guarding, stopGuard := context.WithCancel(ctx)
			defer stopGuard()
			go func() {
				if err := s.lever.guard(guarding, s); err != nil {
					s.fail(err)
				}
			}()
		}
		up.start()
		down.start()
		lost := time.Now()
		s.kind.lose(s)
		var without time.Duration
		if s.kind.breakFirst {
			time.Sleep(outage)
			s.second.Restore()
			if s.stack != tcp && s.stack != managed {
				s.phone.AddEndpoint(s.second.Addr(s.phone), s.flags())
			}
			without = time.Since(lost)
		}
		time.Sleep(calmFor)
		until(func() bool { return up.calm(calmFor) && down.calm(calmFor) }, "the stream does not go on")
		r.up, r.down = up.gap()-without, down.gap()-without
		r.gap = max(r.up, r.down)
		r.lag = max(up.oldest(), down.oldest())
	}
	close(stop)
	select {
	case <-done:
		s.fail(stream.seq)
	case <-time.After(patience):
		s.fail(errors.New("the stream does not end"))
	}
	cc.Close()
	server.Stop()
	r.err = s.failed()
	return r
}

// joined says whether both paths are in use, as far as they should be.
func (s *scene) joined() bool {
	if s.stack == tcp || s.kind.breakFirst {
		return true
	}
	for _, end := range []*conns{&s.clientConns, &s.serverConns} {
		c := end.first()
		if c == nil {
			return false
		}
		st, err := mptcp.Inspect(c)
		if n, _ := st.Subflows(); err != nil || n < 2 {
			return false
		}
	}
	return true
}
