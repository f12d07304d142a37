package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/live"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// A talk is what is done with one connection: something is read from it and
// something is written to it.
type talk struct {
	in    io.Reader     // to be sent; nil: nothing, and the peer finishes first
	out   io.Writer     // what is received goes there; nil: back
	load  time.Duration // zeros are sent for so long, in the place of in
	typed bool          // in is a person
	last  bool          // the peer is to finish first, if there is nothing in in
	quiet bool          // nothing is shown
	name  string        // before each line
	place bool          // the subflows may be drawn in place: nobody else writes to the terminal
}

// onTerminal says whether w is one.
func onTerminal(w io.Writer) bool { return term.New(w).Live }

// typing says whether what a command reads is typed by a person.
func typing(cmd *cobra.Command) bool {
	f, ok := cmd.InOrStdin().(*os.File)
	return ok && onTerminal(f)
}

// run talks over a connection until the peer has finished or ctx ends, shows
// it, and closes it.
func (t *talk) run(ctx context.Context, cmd *cobra.Command, c net.Conn) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() {
		// Both ends of the conversation return, and the status is still there.
		_ = c.SetDeadline(time.Unix(1, 0)) // closed already: all the better
	})
	defer stop()

	n := &counted{Conn: c}
	done := make(chan error, 2)
	if t.in != nil || t.load > 0 {
		go func() { done <- t.send(n) }()
	}
	go func() {
		out := t.out
		if out == nil {
			out = n
		}
		_, err := io.Copy(out, n)
		if err == nil {
			err = errReceived
		}
		done <- err
	}()
	finished := make(chan struct{})
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		if !t.quiet {
			v := live.View{W: term.New(cmd.ErrOrStderr()), Conn: c, Name: t.name, InPlace: t.place, Total: n.total}
			v.Run(finished)
		}
	}()
	err := t.wait(done)
	close(finished)
	<-shown
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// errReceived ends a talk well: the peer has finished.
var errReceived = errors.New("received everything")

// wait returns when both directions are finished, or one has failed. A person
// at a terminal is not waited for once the peer has finished.
func (t *talk) wait(done chan error) error {
	sent, received := t.in == nil && t.load == 0, false
	var patience <-chan time.Time
	for !sent || !received {
		select {
		case err := <-done:
			switch {
			case errors.Is(err, errReceived):
				received = true
			case err != nil:
				return err
			default:
				sent = true
			}
		case <-patience:
			return nil
		}
		if received && t.typed {
			return nil
		}
		if sent && t.load > 0 && patience == nil {
			patience = time.After(3 * time.Second) // the peer may be one that never finishes
		}
	}
	return nil
}

// counted counts what passes through a connection.
type counted struct {
	net.Conn
	sent, received atomic.Uint64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(uint64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(uint64(n))
	return n, err
}

func (c *counted) total() (sent, received uint64) { return c.sent.Load(), c.received.Load() }

// send sends what there is, and then says that this was all.
func (t *talk) send(c *counted) error {
	var err error
	switch {
	case t.load > 0:
		err = zeros(c, t.load)
	default:
		_, err = io.Copy(c, t.in)
	}
	if err != nil || t.last && c.sent.Load() == 0 {
		return err
	}
	// From now on no further subflow can join.
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// zeros writes as much as the connection takes for a while.
func zeros(c net.Conn, d time.Duration) error {
	b := make([]byte, 64<<10)
	for end := time.Now().Add(d); time.Now().Before(end); {
		if err := c.SetWriteDeadline(end.Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
	return c.SetWriteDeadline(time.Time{})
}
