package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1   // it did not work; doctor: something is wrong
	exitUsage       = 2   // the command line is wrong
	exitUnsupported = 3   // this system cannot, or this user may not
	exitInterrupted = 130 // by Ctrl-C, as shells count
)

// statusError is an error with an exit status of its own. With a nil error
// there is nothing left to say.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// usage is an error of the command line.
func usage(format string, args ...any) error {
	return &statusError{exitUsage, fmt.Errorf(format, args...)}
}

// needLinux says whether a command can do anything on this system.
func needLinux(cmd *cobra.Command) error {
	if runtime.GOOS == "linux" {
		return nil
	}
	return &statusError{exitUnsupported, fmt.Errorf("%s needs Linux, and this is %s: %w", cmd.Name(), runtime.GOOS, errors.ErrUnsupported)}
}

// run executes one command line and returns the exit status.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	understood := false
	root.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	status := exitFailed
	var own *statusError
	switch {
	case errors.As(err, &own):
		status = own.status
	case !understood:
		status = exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, os.ErrPermission):
		status = exitUnsupported
	}
	if own == nil || own.err != nil {
		fmt.Fprintf(errs, "mptcp: %s\n", oneLine(err))
	}
	if status == exitUsage {
		fmt.Fprintf(errs, "See \"%s --help\".\n", cmd.CommandPath())
	}
	return status
}

// oneLine is the text of an error, which others may have written with several
// lines.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mptcp",
		Short: "Look at Multipath TCP on this host, repair it, and see what it does",
		Long: `Look at Multipath TCP on this host, repair it, and see what it does.

Begin with "mptcp lab", which shows on a network of its own, without root, what
Multipath TCP does when a path dies, and with "mptcp doctor", which says whether
this host is ready for it.`,
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("mptcp {{.Version}}\n")
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"See:", []*cobra.Command{newLab(), newDoctor(), newDial(), newServe(), newWatch()}},
		{"Change:", []*cobra.Command{newUp(), newDown(), newEndpoints(), newLimits()}},
		{"Additional commands:", []*cobra.Command{newMan()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, c := range group.commands {
			c.GroupID = group.title
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("Additional commands:")
	root.SetCompletionCommandGroupID("Additional commands:")
	return root
}

// version is that of the module, as the go command has noted it in the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
