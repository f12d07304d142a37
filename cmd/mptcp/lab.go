package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/lab"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
	"github.com/multipath-go/mptcp/mptcptest"
)

// defaultPicture is written where nobody has said where to.
const defaultPicture = "mptcp-lab.svg"

func newLab() *cobra.Command {
	l := new(labCommand)
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Show what happens to a stream when a path dies",
		Long: `Show what happens to a stream when a path dies.

The command makes a small network in namespaces of its own, with two hosts and
two paths between them, Wi-Fi and LTE. One stream runs over TCP and one over
Multipath TCP, on networks of the same kind. Then Wi-Fi dies in silence, and
some seconds later comes back. What arrives is drawn while it does, and written
as a picture.

It needs Linux with Multipath TCP and user namespaces, and no root. It touches
no interface of this machine, leaves nothing behind, and ends by itself in half
a minute. Ubuntu 24.04 takes from user namespaces what it needs, until root
types "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0".`,
		Example: `  mptcp lab
  mptcp lab --svg picture.svg`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(cmd) },
	}
	cmd.Flags().DurationVar(&l.duration, "duration", lab.Default.End, "how long it takes, from 5s to 55s")
	cmd.Flags().StringVar(&l.svg, "svg", "", "`file` to write the picture to, \"none\" for none (default "+defaultPicture+", if it is not something else's)")
	return cmd
}

type labCommand struct {
	svg      string
	duration time.Duration
	ctx      context.Context
	cmd      *cobra.Command
}

func (l *labCommand) run(cmd *cobra.Command) error {
	if err := needLinux(cmd); err != nil {
		return err
	}
	if l.duration < 5*time.Second || l.duration > 55*time.Second {
		return usage("--duration %v: want 5s to 55s", l.duration)
	}
	l.cmd, l.ctx = cmd, cmd.Context()
	// This process becomes two: the one that the user has started waits for the
	// one in the namespaces, and Main does not return in either. What is deferred
	// above is about this process and ends with it.
	mptcptest.Main(l)
	return nil
}

// Run is the process in the namespaces.
func (l *labCommand) Run() int {
	file, err := l.open()
	if err == nil {
		err = l.play(file)
	}
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(l.cmd.ErrOrStderr(), "mptcp: %s\n", oneLine(err))
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}

// open opens the picture's file before anything else, so that one that cannot
// be written is no surprise at the end. It is nil if there is to be none.
func (l *labCommand) open() (*os.File, error) {
	switch l.svg {
	case "none":
		return nil, nil
	case "":
	default:
		return os.OpenFile(l.svg, os.O_WRONLY|os.O_CREATE, 0o666)
	}
	// Only what this command has written may be overwritten without being told.
	f, err := os.OpenFile(defaultPicture, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	old, err := os.ReadFile(defaultPicture)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 && !bytes.Contains(old, []byte(lab.Marker)) {
		return nil, fmt.Errorf("%s is here already and is no picture of this command: name another file with --svg", defaultPicture)
	}
	return os.OpenFile(defaultPicture, os.O_WRONLY, 0)
}

func (l *labCommand) play(file *os.File) error {
	out := term.New(l.cmd.OutOrStdout())
	s := lab.Default.Lasting(l.duration)
	fmt.Fprintf(out, "Two networks in namespaces of their own, one for TCP and one for Multipath TCP:\n"+
		"%s%s\n", s.First, s.Second)
	observer := lab.NewObserver(out, s)
	r, err := lab.Run(l.ctx, s, observer)
	out.End()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s", r.Summary())
	if file != nil {
		if err := l.write(file, r); err != nil {
			return err
		}
		fmt.Fprintf(out, "Picture: %s\n", file.Name())
	}
	if err := l.ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if !r.Survived() {
		return errors.New("the Multipath TCP stream did not live on by the second path: is this machine busy?")
	}
	return nil
}

func (l *labCommand) write(file *os.File, r *lab.Result) error {
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		return err
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() { // and no pipe, which has nothing to cut
		if err := file.Truncate(0); err != nil {
			return err
		}
	}
	if _, err := file.Write(b.Bytes()); err != nil {
		return err
	}
	return file.Close()
}
