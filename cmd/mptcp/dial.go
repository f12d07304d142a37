package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/transport"
)

func newDial() *cobra.Command {
	var (
		tcp, require, quiet bool
		from                string
		load                time.Duration
	)
	cmd := &cobra.Command{
		Use:   "dial HOST:PORT",
		Short: "Connect, and show what the connection does",
		Long: `Connect by Multipath TCP, or by TCP where that does not get through, and show
what the connection does, by subflow. What comes from standard input is sent,
and what is received goes to standard output, so that the command can stand in a
pipe; what is shown goes to standard error.`,
		Example: `  mptcp dial example.com:80
  mptcp dial host:9000 --send 10s
  tar c . | mptcp dial host:9000 > answer`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := transport.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}}
			if _, _, err := net.SplitHostPort(args[0]); err != nil {
				return usage("%q: want HOST:PORT: %v", args[0], err)
			}
			switch {
			case tcp && require:
				return usage("--tcp and --require contradict each other")
			case tcp:
				d.Mode = transport.Off
			case require:
				d.Mode = transport.Require
			}
			if from != "" {
				a, err := netip.ParseAddr(from)
				if err != nil {
					return usage("--from %q: not an IP address", from)
				}
				d.NetDialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
			}
			start := time.Now()
			c, err := d.DialContext(cmd.Context(), "tcp", args[0])
			if err != nil {
				return err
			}
			if !quiet {
				fmt.Fprintf(cmd.ErrOrStderr(), "Connected from %v to %v in %v\n", c.LocalAddr(), c.RemoteAddr(),
					time.Since(start).Round(100*time.Microsecond))
			}
			t := talk{in: cmd.InOrStdin(), out: cmd.OutOrStdout(), load: load, typed: typing(cmd), quiet: quiet}
			if load > 0 {
				t.out = io.Discard
			}
			t.place = load > 0 || !onTerminal(cmd.OutOrStdout())
			return t.run(cmd.Context(), cmd, c)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&tcp, "tcp", false, "use TCP")
	f.BoolVar(&require, "require", false, "fail instead of using TCP")
	f.BoolVarP(&quiet, "quiet", "q", false, "show nothing")
	f.StringVar(&from, "from", "", "local `address` to connect from")
	f.DurationVar(&load, "send", 0, "send zeros for so long instead of standard input, and throw away what comes")
	return cmd
}
