// Package wire is what internal/kernels and the program that it starts in
// another kernel say to each other.
package wire

import "time"

// PlanFile is where the guest finds what to do, a [Plan] as JSON.
const PlanFile = "/plan.json"

// A Plan is what the guest does.
type Plan struct {
	Modules []string `json:"modules"` // files to load, in this order
	Runs    []Run    `json:"runs"`    // programs to run, one after the other
}

// A Run is one program.
type Run struct {
	Name    string        `json:"name"` // unique
	Path    string        `json:"path"`
	Dir     string        `json:"dir"`
	Args    []string      `json:"args,omitempty"`
	Env     []string      `json:"env,omitempty"`
	Timeout time.Duration `json:"timeout"`        // of the guest's clock
	Each    bool          `json:"each"`           // a test binary: a process, and the timeout, for each test
	Skip    string        `json:"skip,omitempty"` // of Each: a regular expression of tests that are left out
}

// A Message is one line that the guest sends. One of its parts is set.
type Message struct {
	Kernel string  `json:"kernel,omitempty"` // the first line: uname -r
	Run    string  `json:"run,omitempty"`    // whose Out or Exit this is
	Out    *string `json:"out,omitempty"`    // a line that the program wrote
	Tests  []Test  `json:"tests,omitempty"`  // of Each: what is in the binary, before any of it runs
	Exit   *Exit   `json:"exit,omitempty"`   // the program has ended; of Each: all of its tests
	Test   *Test   `json:"test,omitempty"`   // of Each: the process of this one has ended
	Fatal  string  `json:"fatal,omitempty"`  // the guest cannot go on
	End    bool    `json:"end,omitempty"`    // the last line
}

// A Test is one of a test binary: a test, an example, or a fuzz target with its
// seeds.
type Test struct {
	Name string `json:"name"`
	Skip bool   `json:"skip,omitempty"` // it is left out
	Exit *Exit  `json:"exit,omitempty"` // of its process, once it has ended
}

// An Exit is how a program ended.
type Exit struct {
	Code  int           `json:"code"`            // -1: it did not by itself
	Error string        `json:"error,omitempty"` // if it did not by itself
	Took  time.Duration `json:"took"`            // of the guest's clock
}

// Facts is what the survey finds out about a kernel, by asking this module's
// public API and, for comparison, the kernel itself. It is written as one line,
// after [FactsMark].
type Facts struct {
	Probe       string `json:"probe"`       // the error; empty: none
	Unsupported bool   `json:"unsupported"` // it matches errors.ErrUnsupported
	Reason      string `json:"reason"`      // of that error

	Client End `json:"client"` // a connection over loopback, after data both ways
	Server End `json:"server"`
	Plain  End `json:"plain"` // accepted from a client that uses TCP

	Broken Error `json:"broken"` // why the questions about connections ended early

	InfoSize int `json:"infoSize"` // bytes of struct mptcp_info; zero: the kernel has none

	Counters      []string `json:"counters"` // names
	CountersError Error    `json:"countersError"`

	PathManager []Answer `json:"pathManager"`
	Options     []Answer `json:"options"` // of a Multipath TCP socket that is connected
	Sysctls     []string `json:"sysctls"` // net.mptcp.…

	Cells []Cell `json:"cells"` // of the matrix of faults

	Recorded      map[string][]byte `json:"recorded"` // in the kernel's words: see internal/recorded
	RecordedError Error             `json:"recordedError"`
}

// FactsMark begins the line with the facts.
const FactsMark = "facts: "

// An End is what this module says of one end of a connection.
type End struct {
	Status    string `json:"status"` // of mptcp.Inspect, after data; or the error
	Early     string `json:"early"`  // the same before data
	Confirmed bool   `json:"confirmed"`
	Checksum  bool   `json:"checksum"` // with net.mptcp.checksum_enabled=1
	Token     bool   `json:"token"`    // there is one

	// What the kernel told, as the methods of mptcp.Status say.
	Bytes       bool `json:"bytes"`
	Acked       bool `json:"acked"`
	Retransmits bool `json:"retransmits"`
	Subflows    bool `json:"subflows"`
	Idle        bool `json:"idle"`

	Wrong []string `json:"wrong,omitempty"` // told and not true

	List      int   `json:"list"` // subflows of mptcp.Subflows
	IDs       bool  `json:"ids"`  // they have identities
	ListError Error `json:"listError"`
}

// An Error is one of this module's.
type Error struct {
	Text        string `json:"text,omitempty"` // empty: none
	Unsupported bool   `json:"unsupported,omitempty"`
}

// An Answer is what came of one question.
type Answer struct {
	Name string `json:"name"`
	Error
}

// A Cell is one of internal/faultmatrix.
type Cell struct {
	Fault  string   `json:"fault"`
	Family string   `json:"family"`
	Client string   `json:"client"` // what was seen
	Server string   `json:"server"`
	Wrong  []string `json:"wrong,omitempty"` // what differs from what is expected of Linux 6.18
}
