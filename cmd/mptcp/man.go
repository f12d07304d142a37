package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/manual"
)

// statuses explains the exit statuses in the documents.
var statuses = []manual.Status{
	{Number: exitOK, Meaning: "It worked; for doctor, the host is healthy."},
	{Number: exitFailed, Meaning: "It did not work; for doctor, there is a fault."},
	{Number: exitUsage, Meaning: "The command line is wrong."},
	{Number: exitUnsupported, Meaning: "This system cannot do it, or this user may not; for doctor, something could not be looked at."},
	{Number: exitInterrupted, Meaning: "It was interrupted."},
}

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write the manual pages",
		Long: `Write the manual pages, one for each command, into a directory that is there.
"man -l DIRECTORY/mptcp.1" shows one.`,
		Example: `  mptcp man /usr/local/share/man/man1`,
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			list := manual.Commands(cmd.Root())
			for _, c := range list {
				name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(manual.Roff(c, statuses)), 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d pages in %s\n", len(list), args[0])
			return nil
		},
	}
}
