package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/pathmanager"
)

func newUp() *cobra.Command {
	var (
		c                  pathmanager.Config
		mode               string
		dryRun, stay, keep bool
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Use the paths of this host together",
		Long: `Use the paths of this host together: give each an endpoint, a routing table of
its own and the rules that lead there, and raise the limits as far as that
takes. What others have made is left alone. "mptcp down" undoes it.

The modes:
  handover     all data on one path, the others ready as backups
  interactive  one subflow on each path, bulk data by all of them
  aggregate    subflows between all addresses, for throughput

The paths are the interfaces that a default route leads to, unless others are
named. The command needs root; --dry-run does not. What it does is gone after
the next boot.

With --stay it goes on and follows what happens to the interfaces. When it is
interrupted it undoes everything: connections lose the subflows that they have
by these paths, the first one included, and one that has no other left ends
within a minute. With --keep it leaves everything as it is, for the next --stay
to take over or "mptcp down" to undo, and connections do not notice.`,
		Example: `  mptcp up --dry-run
  mptcp up --mode interactive --paths wlan0,wwan0 --costly wwan0
  mptcp up --announce
  mptcp up --stay --keep`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needLinux(cmd); err != nil {
				return err
			}
			if err := c.Mode.UnmarshalText([]byte(mode)); err != nil {
				return usage("--mode %q: want handover, interactive or aggregate", mode)
			}
			if dryRun && stay {
				return usage("--dry-run and --stay contradict each other")
			}
			if keep && !stay {
				return usage("--keep is for --stay")
			}
			if stay {
				m := pathmanager.Manager{Config: c, Keep: keep, Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))}
				return m.Run(cmd.Context())
			}
			plan, err := c.Plan()
			return carryOut(cmd, plan, err, dryRun, "Everything is as it should be.")
		},
	}
	f := cmd.Flags()
	f.StringVar(&mode, "mode", pathmanager.Handover.String(), "how to use them: handover, interactive or aggregate")
	f.StringSliceVar(&c.Paths, "paths", nil, "`interfaces` or addresses that take part, \"wwan*\" for several (default those with a default route)")
	f.StringSliceVar(&c.Costly, "costly", nil, "those `interfaces` or addresses that carry data only when no other can")
	f.BoolVar(&c.Announce, "announce", false, "for servers: announce the addresses instead of opening subflows from them")
	f.BoolVar(&dryRun, "dry-run", false, "show what would be done, and do nothing")
	f.BoolVar(&stay, "stay", false, "stay, and follow what happens to the interfaces")
	f.BoolVar(&keep, "keep", false, "with --stay: leave everything as it is at the end")
	ownFlags(cmd, &c)
	must(cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"handover", "interactive", "aggregate"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// ownFlags are what tells what is ours from what is not.
func ownFlags(cmd *cobra.Command, c *pathmanager.Config) {
	f := cmd.Flags()
	f.Uint32Var(&c.Table, "table", 7100, "first `number` of the routing tables and priorities of rules that nobody else uses")
	f.Uint8Var(&c.Protocol, "protocol", 130, "`number` that marks the rules and routes, as in ip route add ... proto")
}

func newDown() *cobra.Command {
	var c pathmanager.Config
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Undo what mptcp up has done",
		Long: `Undo what "mptcp up" has done: endpoints, rules, routes and limits are then what
they were before. Connections lose their subflows from those addresses, the
first one included if it is from one of them. What was done with --table or
--protocol is undone with the same.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needLinux(cmd); err != nil {
				return err
			}
			plan, err := c.Removal()
			return carryOut(cmd, plan, err, dryRun, "There is nothing to undo.")
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be done, and do nothing")
	ownFlags(cmd, &c)
	return cmd
}

// carryOut shows a plan and does it.
func carryOut(cmd *cobra.Command, plan *pathmanager.Plan, err error, dryRun bool, nothing string) error {
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if len(plan.Changes) == 0 {
		fmt.Fprintln(out, nothing)
	}
	for _, c := range plan.Changes {
		fmt.Fprintf(out, "%s\n  %s\n", c.Text, c.Command)
	}
	for _, n := range plan.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "mptcp: note: %s\n", n)
	}
	if dryRun || len(plan.Changes) == 0 {
		return nil
	}
	return plan.Apply()
}

// must is for what only a mistake in this program can make fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
