package transport

import (
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// scenario is a connection that a holder looks at, and a program that writes.
type scenario struct {
	t   *testing.T
	c   net.Conn
	h   *holder
	now time.Duration
}

func newScenario(t *testing.T) *scenario {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); peer.Close() })
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{t: t, c: c, h: &holder{e: &conntable.Entry{Raw: raw}}, now: time.Hour}
	t.Cleanup(s.h.let) // before it is closed, which waits for a hold
	return s
}

// look passes time, and has the holder see these paths of a connection on
// which so much is acknowledged and 100 bytes are written.
func (s *scenario) look(after time.Duration, acked uint64, paths ...path) {
	s.now += after
	s.h.decide(s.now, pathsLook{outstanding: acked < 100, written: 100, una: acked, paths: paths})
}

// write writes, and says whether that was done before the function returned.
func (s *scenario) write() (done chan error) {
	done = make(chan error, 1)
	go func() {
		_, err := s.c.Write([]byte("x"))
		done <- err
	}()
	return done
}

func (s *scenario) writes() {
	s.t.Helper()
	select {
	case err := <-s.write():
		if err != nil {
			s.t.Error(err)
		}
	case <-time.After(10 * time.Second):
		s.t.Error("a write has to wait")
	}
}

// waits returns the first write that has to wait: one may have come before.
func (s *scenario) waits() (done chan error) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		done = s.write()
		select {
		case err := <-done:
			if err != nil {
				s.t.Fatal(err)
			}
		case <-time.After(20 * time.Millisecond):
			return done
		}
	}
	s.t.Fatal("writes do not wait")
	return nil
}

const ms = time.Millisecond

// Paths of a round trip of 10 ms each, as the kernel describes them.
var (
	busy   = path{established: true, inFlight: true, sent: 5 * ms, acked: 5 * ms, rtt: 10 * ms, patience: 60 * ms}
	silent = path{established: true, inFlight: true, sent: 15 * ms, acked: 100 * ms, patience: 60 * ms}
	unused = path{established: true, sent: time.Hour, acked: time.Hour, patience: 60 * ms}
)

// stall is what leads to a hold.
func (s *scenario) stall() {
	s.look(50*ms, 10, busy, busy)
	s.look(50*ms, 20, busy, busy)
	s.look(50*ms, 20, silent, busy)
	s.look(50*ms, 20, silent, busy)
}

// TestHold: a program waits while one path is silent and another is kept busy
// by it, until all that it had written has arrived, and no longer than it has
// to.
func TestHold(t *testing.T) {
	t.Run("until acknowledged", func(t *testing.T) {
		s := newScenario(t)
		s.writes()
		s.look(50*ms, 10, busy, busy)
		s.writes()
		s.stall()
		done := s.waits()
		s.look(200*ms, 99, silent, busy)
		s.waits()
		s.look(200*ms, 100, silent, unused)
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.writes()
	})
	t.Run("until the path answers", func(t *testing.T) {
		s := newScenario(t)
		s.stall()
		done := s.waits()
		s.look(200*ms, 20, busy, busy)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("until the subflow is gone", func(t *testing.T) {
		s := newScenario(t)
		s.stall()
		done := s.waits()
		s.look(200*ms, 20, busy)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("no longer than the kernel can take", func(t *testing.T) {
		s := newScenario(t)
		s.stall()
		done := s.waits()
		s.look(longestHold, 20, silent, busy)
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.look(50*ms, 20, silent, busy) // and not again
		s.writes()
		s.look(50*ms, 30, busy, busy)
		s.stall() // another silence
		s.waits()
		s.h.let()
	})
	t.Run("again", func(t *testing.T) {
		s := newScenario(t)
		for range 3 {
			s.stall()
			done := s.waits()
			s.look(200*ms, 100, silent, busy)
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestNoHold: a program does not wait where that helps nobody.
func TestNoHold(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths []path
	}{
		{"one path", []path{silent}},
		{"all silent", []path{silent, silent}},
		{"the other is a backup", []path{silent, unused}},
		{"none silent", []path{busy, busy}},
		{"nothing in flight", []path{{established: true, sent: 100 * ms, acked: 100 * ms, patience: 60 * ms}, busy}},
		{"in flight for a short time only", []path{{established: true, inFlight: true, sent: 1 * ms, acked: time.Hour, patience: 600 * ms}, busy}},
		{"the other is not established", []path{silent, {inFlight: true, sent: 5 * ms, acked: 5 * ms, patience: 60 * ms}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScenario(t)
			for range 4 {
				s.look(50*ms, 20, c.paths...)
			}
			if s.h.held != nil {
				t.Error("writes wait")
			}
		})
	}
	t.Run("data arrives", func(t *testing.T) {
		s := newScenario(t)
		for acked := range uint64(10) {
			s.look(50*ms, acked, silent, busy)
		}
		if s.h.held != nil {
			t.Error("writes wait")
		}
	})
}

// TestHoldEnds: a connection that is closed under a hold is closed, writes fail
// then, and nothing remains.
func TestHoldEnds(t *testing.T) {
	s := newScenario(t)
	s.stall()
	done := s.waits()
	closed := make(chan error, 1)
	go func() { closed <- s.c.Close() }()
	if err := <-done; err == nil {
		t.Error("a write to a closed connection")
	}
	if _, ok := s.h.next(s.now+10*ms, nil); ok {
		t.Error("it is looked at for ever")
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-s.h.held.over
}
