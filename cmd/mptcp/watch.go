package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/watch"
	"github.com/multipath-go/mptcp/pathmanager"
)

func newWatch() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show the Multipath TCP connections of all processes, and what happens to them",
		Long: `Show the Multipath TCP connections of all processes of this network namespace,
by subflow, and what happens to them: on a terminal as a table that is kept up
to date, elsewhere as a line for each event.

Connections are seen without root (by inet_diag), their processes only if they
are those of the same user. The events of the path manager need root; without it
changes are noticed by looking again.`,
		Example: `  mptcp watch
  mptcp watch --once
  mptcp watch --json | jq .`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needLinux(cmd); err != nil {
				return err
			}
			if o.interval < 10*time.Millisecond {
				return usage("--interval %v: want at least 10ms", o.interval)
			}
			return o.run(cmd)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.once, "once", false, "show what there is now, and end")
	f.BoolVar(&o.json, "json", false, "write JSON, an object in a line for each event and each look")
	f.DurationVar(&o.interval, "interval", time.Second, "how often to look")
	return cmd
}

type watchOptions struct {
	once, json bool
	interval   time.Duration

	out     *term.Writer
	encoder *json.Encoder
	watcher watch.Watcher
	before  watch.Snapshot
	last    []string // events, for the table
	events  bool     // are to be had
}

func (o *watchOptions) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	o.out = term.New(cmd.OutOrStdout())
	o.encoder = json.NewEncoder(o.out)
	if o.once {
		s, err := o.watcher.Look()
		if err != nil {
			return err
		}
		if o.json {
			return o.encoder.Encode(s)
		}
		s.Write(o.out)
		return nil
	}
	events, err := o.listen(ctx)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "mptcp: %v; changes are noticed by looking again\n", oneLine(err))
	}
	defer o.out.End()
	return o.follow(ctx, events, cmd.ErrOrStderr())
}

// follow shows what there is and what happens, until ctx is done.
func (o *watchOptions) follow(ctx context.Context, events <-chan happened, errs io.Writer) error {
	o.events = events != nil
	// The first look, at what was there before.
	err := o.look(true)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(o.interval)
	defer ticker.Stop()
	for {
		select {
		case e, ok := <-events:
			if ok {
				err = o.event(e)
				break
			}
			// The last one was the error that ended them.
			events, o.events = nil, false
			fmt.Fprintln(errs, "mptcp: no more events of the path manager; changes are noticed by looking again")
			err = o.look(true) // what has happened meanwhile is in nothing else
		case <-ticker.C:
			err = o.look(false)
		case <-ctx.Done():
			return nil // that is how it ends
		}
		if err != nil {
			return err
		}
	}
}

// happened is an event, or that some were lost.
type happened struct {
	event pathmanager.Event
	err   error
}

// listen returns a channel of the path manager's events. Without them it is
// nil, and the error says why.
func (o *watchOptions) listen(ctx context.Context) (<-chan happened, error) {
	c, err := pathmanager.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	events, err := c.Events(ctx)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			err = errors.New("the events of the path manager need root (CAP_NET_ADMIN)")
		}
		return nil, err
	}
	all := make(chan happened)
	go func() { // ends with the events, at the latest with ctx
		defer close(all)
		for e, err := range events {
			select {
			case all <- happened{e, err}:
			case <-ctx.Done():
			}
		}
	}()
	return all, nil
}

func (o *watchOptions) event(h happened) error {
	at := time.Now()
	text := h.event.String()
	if h.err != nil {
		text = h.err.Error()
	}
	switch {
	case o.json:
		object := map[string]any{"at": at, "event": h.event.Type, "text": text}
		if h.err != nil {
			object = map[string]any{"at": at, "error": text}
		} else {
			object["token"] = h.event.Token
			if h.event.Local.IsValid() {
				object["local"] = h.event.Local
			}
			if h.event.Remote.IsValid() {
				object["remote"] = h.event.Remote
			}
		}
		return o.encoder.Encode(object)
	case o.out.Live:
		o.last = append(o.last, at.Format("15:04:05.000")+"  "+text)
		return o.draw()
	}
	_, err := fmt.Fprintf(o.out, "%s  %s\n", at.Format("15:04:05.000"), text)
	if _, lost := errors.AsType[*pathmanager.OverflowError](h.err); lost && err == nil {
		err = o.look(true) // the events that are missing are in what there is now
	}
	return err
}

// look looks at all connections and shows them, or what is new of them unless
// the events say that. With all, it shows everything in any case.
func (o *watchOptions) look(all bool) error {
	s, err := o.watcher.Look()
	if err != nil {
		return err
	}
	before := o.before
	o.before = s
	switch {
	case o.json:
		return o.encoder.Encode(s)
	case o.out.Live:
		if !o.events && !all {
			for _, line := range s.Changes(before) {
				o.last = append(o.last, s.At.Format("15:04:05.000")+"  "+line)
			}
		}
		return o.draw()
	case all:
		s.Write(o.out)
	case !o.events:
		for _, line := range s.Changes(before) {
			fmt.Fprintf(o.out, "%s  %s\n", s.At.Format("15:04:05.000"), line)
		}
	}
	return nil
}

// draw draws the connections, and below them as many of the last events as
// there is room for.
func (o *watchOptions) draw() error {
	var b strings.Builder
	o.before.Write(&b)
	_, rows := o.out.Size()
	room := max(rows-strings.Count(b.String(), "\n")-3, 3)
	if len(o.last) > room {
		o.last = o.last[len(o.last)-room:]
	}
	b.WriteString("\n" + strings.Join(o.last, "\n"))
	return o.out.Frame(b.String())
}
