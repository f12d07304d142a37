package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/multipath-go/mptcp/transport"
)

// traffic opens connections that carry a little until ctx is done: one to a
// server that uses Multipath TCP, and one to a server that knows only TCP.
// finished waits until they are closed.
func traffic(ctx context.Context) (finished func(), err error) {
	var wg sync.WaitGroup
	for _, mode := range []transport.Mode{transport.Prefer, transport.Off} {
		ln, err := (&transport.ListenConfig{Mode: mode}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return wg.Wait, err
		}
		wg.Go(func() { echo(ctx, ln) })
		c, err := new(transport.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
		if err != nil {
			return wg.Wait, err
		}
		wg.Go(func() { chat(ctx, c) })
	}
	return wg.Wait, nil
}

// echo serves one connection, and sends back what it gets.
func echo(ctx context.Context, ln net.Listener) {
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	defer ln.Close()
	c, err := ln.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = io.Copy(c, c) // until the client has gone
}

// chat sends something every few milliseconds, more at some times than at
// others, and waits for the echo.
func chat(ctx context.Context, c net.Conn) {
	defer c.Close()
	b := make([]byte, 100_000)
	for i := 0; ctx.Err() == nil; i++ {
		part := b[:1000*(1+i%100)]
		if _, err := c.Write(part); err != nil {
			return
		}
		if _, err := io.ReadFull(c, part); err != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
