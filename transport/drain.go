package transport

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

const drainInterval = 200 * time.Millisecond // between looks at what is left

// Drain takes the listener out of service without taking away the paths of
// those that it serves. A subflow joins its connection through a listening
// socket, so that after Close alone a connection can lose paths and gain none:
// and that is the first thing that the graceful stop of any server does. After
// Drain the socket goes on listening when the listener is closed, until no
// connection that it has accepted uses Multipath TCP any more or ctx is done.
// New connections are reset from now on.
//
//	listener.Drain(ctx)
//	server.GracefulStop() // or Shutdown(ctx) of an http.Server
//
// It returns at once; only the first call counts. Until the socket is closed its
// port is in use, and a check that merely connects finds it alive. A listener
// that accepts TCP alone, or is closed already, has nothing to keep open.
//
// It is not needed where another listener takes over the same address and port
// in the same network namespace, one that inherited the socket (see
// [Listener.File] and [ListenConfig.Adopt]) or that shares the port
// (SO_REUSEPORT), as long as it is a Multipath TCP listener: subflows join the
// connections of whichever process through that one, and Drain would reset what
// is meant for it.
func (l *Listener) Drain(ctx context.Context) error {
	if l.draining.Swap(true) || l.status.State != mptcp.Multipath {
		return nil
	}
	f, err := l.ln.File()
	if err != nil {
		l.draining.Store(false)
		return err
	}
	defer f.Close()
	ln, err := net.FileListener(f)
	if err != nil {
		l.draining.Store(false)
		return err
	}
	go l.drain(ctx, ln.(*net.TCPListener))
	return nil
}

// drain keeps ln, a second descriptor of the listening socket, for as long as
// subflows may join through it.
func (l *Listener) drain(ctx context.Context, ln *net.TCPListener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.AcceptTCP()
			switch {
			case err == nil:
				reset(c)
			case errors.Is(err, net.ErrClosed):
				return
			default:
				time.Sleep(drainInterval)
			}
		}
	}()
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	// The first look is not at once: a connection may have been accepted and
	// not be in the table yet.
	for left := true; left; {
		select {
		case <-ctx.Done():
			left = false
		case <-ticker.C:
			left = l.open()
		}
	}
	ln.Close()
	<-done
}

// open reports whether a connection that l has accepted can be joined.
func (l *Listener) open() bool {
	for e := range conntable.All() {
		if e.Record != l {
			continue
		}
		s, err := (&Connection{e: e}).Status()
		if err == nil && (s.State == mptcp.Multipath || s.Reason == mptcp.ReasonNoSubflow) {
			return true
		}
	}
	return false
}

// reset refuses a connection that the kernel has accepted already.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
