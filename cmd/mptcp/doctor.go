package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/doctor"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

func newDoctor() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [HOST:PORT]",
		Short: "Find out why this host does not use Multipath TCP as it could, and repair it",
		Long: `Find out why this host does not use Multipath TCP as it could, and repair it.

Each fault is printed with what it costs and with the commands that repair it.
With HOST:PORT, a service that is reached by TCP, the command also connects
there by TCP and by Multipath TCP, sends one byte, and says where the option is
lost, as far as one end can know.

Reading needs no root, but for the rules of the firewall. --fix shows what it is
going to do about the faults and asks; it needs root, and leaves to you what is
only worth a notice. What it changes is gone after the next boot.

The exit status is 0 for a healthy host, 1 if there is a fault, and 3 if there
is none and not everything could be looked at. Rules of the firewall that this
user may not read are named, and change nothing about it.`,
		Example: `  mptcp doctor
  mptcp doctor example.com:443
  sudo mptcp doctor --fix`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := needLinux(cmd); err != nil {
				return err
			}
			if o.json && o.fix && !o.yes {
				return usage("--json with --fix needs --yes: there is nobody to ask")
			}
			if len(args) > 0 {
				o.target = args[0]
				if _, _, err := net.SplitHostPort(o.target); err != nil {
					return usage("target %q: want HOST:PORT", o.target)
				}
			}
			return o.run(cmd)
		},
	}
	cmd.Flags().BoolVar(&o.fix, "fix", false, "repair what can be repaired here, after showing it and asking")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&o.json, "json", false, "write the report as JSON")
	return cmd
}

type doctorOptions struct {
	target         string
	fix, yes, json bool
}

func (o *doctorOptions) run(cmd *cobra.Command) error {
	report, err := o.examine(cmd)
	if err != nil {
		return err
	}
	if plan := report.Plan(); o.fix && len(plan) > 0 {
		if !o.json { // of which there is to be one object
			report.Write(term.New(cmd.OutOrStdout()))
		}
		if done, err := o.repair(cmd, plan); err != nil || !done {
			return err
		}
		if report, err = o.examine(cmd); err != nil {
			return err
		}
	}
	if o.json {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		report.Write(term.New(cmd.OutOrStdout()))
	}
	switch faults, _ := report.Count(); {
	case err != nil || report.Healthy:
		return err
	case faults == 0: // and something that could not be looked at
		return &statusError{status: exitUnsupported}
	}
	return &statusError{status: exitFailed}
}

func (o *doctorOptions) examine(cmd *cobra.Command) (*doctor.Report, error) {
	if o.target != "" && !o.json {
		fmt.Fprintf(cmd.ErrOrStderr(), "Connecting to %s ...\n", o.target)
	}
	report, err := doctor.Examine(cmd.Context(), o.target)
	if err != nil && !errors.Is(err, context.Canceled) {
		err = &statusError{exitUnsupported, err}
	}
	return report, err
}

// repair does what is planned. It says false if the user does not want that.
func (o *doctorOptions) repair(cmd *cobra.Command, plan []doctor.Action) (bool, error) {
	out := term.New(cmd.ErrOrStderr())
	fmt.Fprintf(out, "\nTo be done, until the next boot:\n")
	for _, a := range plan {
		fmt.Fprintf(out, "  %s\n", a)
	}
	if !o.yes {
		fmt.Fprint(out, "Do it? [y/N] ")
		ok, err := asked(cmd.InOrStdin())
		if err != nil || !ok {
			return false, err
		}
	}
	var errs []error
	for _, a := range plan {
		sign := out.Paint(term.Green, "✓")
		err := a.Apply()
		if err != nil {
			sign = out.Paint(term.Red, "✗")
			errs = append(errs, fmt.Errorf("%s: %w", a, err))
		}
		fmt.Fprintf(out, "  %s %s\n", sign, a)
	}
	fmt.Fprintln(out)
	err := errors.Join(errs...)
	if errors.Is(err, os.ErrPermission) {
		return false, fmt.Errorf("%w; it needs root (CAP_NET_ADMIN): sudo mptcp doctor --fix", err)
	}
	return err == nil, err
}

// asked reads an answer. No answer is no.
func asked(in io.Reader) (bool, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, &statusError{exitFailed, errors.New("nothing was changed")}
}
