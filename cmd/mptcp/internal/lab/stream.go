package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// stream carries as much as it can from a server to a client.
type stream struct {
	client   net.Conn
	server   net.Conn
	received atomic.Uint64
	wg       sync.WaitGroup

	mu    sync.Mutex
	last  time.Time // when something arrived
	gap   time.Duration
	gapAt time.Time
	err   error
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// open connects and begins to send. The first bytes have arrived when it
// returns.
func open(ctx context.Context, l net.Listener, d dial) (*stream, error) {
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	client, err := d(ctx, "tcp", l.Addr().String())
	if err != nil {
		l.Close()
		<-accepted
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	// What the client says first is what tells a Multipath TCP server that both
	// directions pass.
	if _, err := client.Write([]byte{'\n'}); err != nil {
		client.Close()
		return nil, err
	}
	server, ok := <-accepted
	if !ok {
		client.Close()
		return nil, fmt.Errorf("nobody arrived at %v: %w", l.Addr(), context.Cause(ctx))
	}
	s := &stream{client: client, server: server}
	s.wg.Go(func() {
		chunk := make([]byte, 32<<10)
		for {
			if _, err := server.Write(chunk); err != nil {
				return
			}
		}
	})
	begun := make(chan struct{})
	s.wg.Go(func() { s.receive(begun) })
	select {
	case <-begun:
		return s, nil
	case <-ctx.Done():
		s.close()
		return nil, context.Cause(ctx)
	}
}

func (s *stream) receive(begun chan struct{}) {
	b := make([]byte, 64<<10)
	for {
		n, err := s.client.Read(b)
		now := time.Now()
		s.mu.Lock()
		if n > 0 {
			if s.last.IsZero() {
				close(begun)
			}
			s.pause(now)
			s.received.Add(uint64(n))
		}
		if err != nil && !errors.Is(err, net.ErrClosed) {
			s.err = err
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// pause notes that nothing arrived between the last time and now.
func (s *stream) pause(now time.Time) {
	if !s.last.IsZero() && now.Sub(s.last) > s.gap {
		s.gap, s.gapAt = now.Sub(s.last), s.last
	}
	s.last = now
}

// restart forgets what was before: the measurement begins.
func (s *stream) restart(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap, s.last = 0, now
	s.received.Store(0)
}

// end says what became of the stream since start. It goes on.
func (s *stream) end(start, now time.Time) Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause(now)
	r := Stream{Bytes: s.received.Load(), Gap: s.gap, GapAt: s.gapAt.Sub(start), Err: s.err}
	if errors.Is(r.Err, io.EOF) {
		r.Err = io.ErrUnexpectedEOF
	}
	return r
}

// close closes both ends: a server whose last subflow has been reset would not
// notice for a minute that the client has gone.
func (s *stream) close() {
	s.client.Close()
	s.server.Close()
	s.wg.Wait()
}
