// Package doctor finds out why this host does not use Multipath TCP as well as
// it could, and what to type.
//
// A [Host] is what was read; a [Check] looks at it and names [Finding]s; each
// has the [Action]s that repair it, which print as the commands that a person
// would type and can be done without any other program. Checks are pure: the
// reading is in read_linux.go and in target_linux.go.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
)

// A State is the outcome of a check.
type State string

// The states. A report with a Fault is not healthy, nor is one with an Unknown
// that more privilege would not have cleared up.
const (
	OK      State = "ok"
	Notice  State = "notice"  // worth knowing, and no fault
	Fault   State = "fault"   // it costs something
	Unknown State = "unknown" // it could not be looked at
)

// A Finding is one thing that is wrong.
type Finding struct {
	State       State    // Fault or Notice
	Fault       string   // what is wrong
	Consequence string   // what that costs
	Fix         []Action // what repairs it here, in this order
	Advice      string   // what else can be done, or what to do where no command on this host helps
}

// MarshalJSON writes the actions as commands.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		State       State    `json:"state"`
		Fault       string   `json:"fault"`
		Consequence string   `json:"consequence,omitempty"`
		Fix         []string `json:"fix"`
		Advice      string   `json:"advice,omitempty"`
	}{f.State, f.Fault, f.Consequence, f.Commands(), f.Advice})
}

// Commands are the actions as commands.
func (f Finding) Commands() []string {
	commands := []string{}
	for _, a := range f.Fix {
		commands = append(commands, a.String())
	}
	return commands
}

// A Result is what a check has found.
type Result struct {
	Check    string    `json:"check"`
	Reads    string    `json:"reads"` // what was looked at
	State    State     `json:"state"` // the worst of the findings
	Summary  string    `json:"summary"`
	Findings []Finding `json:"findings,omitempty"`

	unread bool // Unknown, for want of privilege only
}

// A Report is the outcome of an examination.
type Report struct {
	Healthy bool     `json:"healthy"` // no fault, and everything was looked at that may be
	Kernel  string   `json:"kernel"`
	Results []Result `json:"checks"`
	Target  *Target  `json:"target,omitempty"`
}

// A Check looks at one thing.
type Check struct {
	Name  string
	Reads string
	run   func(*Host) (summary string, findings []Finding, err error)
}

// errSkip is the error of a check that has nothing to look at, because another
// one has found out more.
var errSkip = errors.New("skipped")

// errUnread is the error of a check for which this user may not read what it is
// about. It leaves the verdict about everything else as it is.
var errUnread = errors.New("needs root (CAP_NET_ADMIN)")

// Examine reads this host, dials the target if there is one ("HOST:PORT"), and
// runs all checks. An error means that there is no report.
func Examine(ctx context.Context, target string) (*Report, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("doctor needs Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	h, err := read(ctx, target)
	if err == nil {
		err = ctx.Err() // what was interrupted has seen faults that are none
	}
	if err != nil {
		return nil, err
	}
	return h.report(), nil
}

func (h *Host) report() *Report {
	r := &Report{Healthy: true, Kernel: h.Kernel, Target: h.Target}
	for _, c := range Checks() {
		result, ok := c.look(h)
		if !ok {
			continue
		}
		h.faults = h.faults || result.State == Fault
		r.Results = append(r.Results, result)
		if result.State == Fault || result.State == Unknown && !result.unread {
			r.Healthy = false
		}
	}
	return r
}

func (c Check) look(h *Host) (Result, bool) {
	summary, findings, err := c.run(h)
	if errors.Is(err, errSkip) {
		return Result{}, false
	}
	r := Result{Check: c.Name, Reads: c.Reads, State: OK, Summary: summary, Findings: findings}
	if err != nil {
		r.State, r.Summary, r.unread = Unknown, "not known: "+err.Error(), errors.Is(err, errUnread)
	}
	for _, f := range findings {
		if f.State == Fault || r.State == OK {
			r.State = f.State
		}
	}
	return r, true
}

// Plan lists the actions of all faults, each once. Those of notices are for the
// user to choose: what they would change may be meant.
func (r *Report) Plan() []Action {
	var plan []Action
	seen := make(map[string]bool)
	for _, result := range r.Results {
		for _, f := range result.Findings {
			if f.State != Fault {
				continue
			}
			for _, a := range f.Fix {
				if s := a.String(); !seen[s] {
					seen[s] = true
					plan = append(plan, a)
				}
			}
		}
	}
	return plan
}

// Unknown lists the checks that could not look: those for want of privilege
// only, and the others, without which nobody can call the host healthy.
func (r *Report) Unknown() (unread, failed []string) {
	for _, result := range r.Results {
		switch {
		case result.State != Unknown:
		case result.unread:
			unread = append(unread, result.Check)
		default:
			failed = append(failed, result.Check)
		}
	}
	return unread, failed
}

// Count is how many findings are faults.
func (r *Report) Count() (faults, notices int) {
	for _, result := range r.Results {
		for _, f := range result.Findings {
			if f.State == Fault {
				faults++
			} else {
				notices++
			}
		}
	}
	return faults, notices
}
