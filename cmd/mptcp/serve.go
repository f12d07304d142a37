package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

func newServe() *cobra.Command {
	var echo, discard, quiet bool
	cmd := &cobra.Command{
		Use:   "serve [HOST]:PORT",
		Short: "Accept a connection, and show what it does",
		Long: `Accept one connection, by Multipath TCP or TCP, and show what it does, by
subflow. What comes from standard input is sent, and what is received goes to
standard output; what is shown goes to standard error. With --echo or --discard
any number of connections is served, until the command is interrupted.

Without HOST the command listens at all addresses, which is what lets further
subflows in.`,
		Example: `  mptcp serve :9000 --discard
  mptcp serve :9000 > received`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := net.SplitHostPort(args[0]); err != nil {
				return usage("%q: want HOST:PORT or :PORT: %v", args[0], err)
			}
			if echo && discard {
				return usage("--echo and --discard contradict each other")
			}
			s := server{cmd: cmd, echo: echo, discard: discard, quiet: quiet}
			return s.run(args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&echo, "echo", false, "send back what is received, to any number of connections")
	f.BoolVar(&discard, "discard", false, "throw away what is received, from any number of connections")
	f.BoolVarP(&quiet, "quiet", "q", false, "show nothing")
	return cmd
}

type server struct {
	cmd                  *cobra.Command
	echo, discard, quiet bool
}

func (s *server) run(address string) error {
	ctx := s.cmd.Context()
	l, err := transport.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer l.Close()
	if !s.quiet {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "Listening at %v%s\n", l.Addr(), about(l))
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := 1; ; n++ {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil // that is how a server ends
		}
		if err != nil {
			return err
		}
		if !s.quiet {
			fmt.Fprintf(s.cmd.ErrOrStderr(), "%sConnected from %v\n", s.name(n), c.RemoteAddr())
		}
		if !s.echo && !s.discard {
			wg.Go(func() { refuse(l) })
			defer l.Close()
			t := talk{in: s.cmd.InOrStdin(), out: s.cmd.OutOrStdout(), typed: typing(s.cmd), last: true, quiet: s.quiet}
			t.place = !onTerminal(t.out)
			return t.run(ctx, s.cmd, c)
		}
		wg.Go(func() { s.serve(ctx, c, n) })
	}
}

// name begins the lines about one of several connections.
func (s *server) name(n int) string {
	if !s.echo && !s.discard {
		return ""
	}
	return fmt.Sprintf("[%d] ", n)
}

func (s *server) serve(ctx context.Context, c net.Conn, n int) {
	t := talk{out: io.Discard, quiet: s.quiet, name: s.name(n)}
	if s.echo {
		t.out = nil
	}
	if err := t.run(ctx, s.cmd, c); err != nil && ctx.Err() == nil {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "%s%v\n", t.name, oneLine(err))
	}
}

// refuse closes what arrives until the listener is closed. It stays open for
// the further subflows of the one connection that was accepted.
func refuse(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// about says what a listener accepts, where that is not both.
func about(l net.Listener) string {
	m, ok := l.(*transport.Listener)
	if !ok || m.Status().State == mptcp.Multipath {
		return ""
	}
	return " by TCP alone: " + m.Status().String()
}
