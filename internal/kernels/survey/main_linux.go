// Command survey asks the kernel that it runs on everything that this module
// asks kernels, and writes the answers as one line of JSON. It runs in a
// laboratory and needs no privilege. See internal/kernels, which runs it in
// several kernels and knows what is true there.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/faultmatrix"
	"github.com/multipath-go/mptcp/internal/kernels/wire"
	"github.com/multipath-go/mptcp/mptcptest"
)

var only = flag.Bool("record", false, "ask only what internal/recorded keeps")

func main() {
	flag.Parse()
	mptcptest.Main(survey{})
}

type survey struct{}

// Run writes the facts.
func (survey) Run() int {
	f := look()
	text, err := json.Marshal(f)
	if err != nil {
		fmt.Fprintln(os.Stderr, "survey:", err)
		return 1
	}
	fmt.Fprintf(os.Stdout, "%s%s\n", wire.FactsMark, text)
	return 0
}

func look() *wire.Facts {
	f := &wire.Facts{}
	if err := mptcp.Probe(); err != nil {
		f.Probe, f.Unsupported = err.Error(), errors.Is(err, errors.ErrUnsupported)
		f.Reason = mptcp.ProbeReason(err).String()
	}
	if *only {
		keep(f)
		return f
	}
	f.Sysctls = sysctls()
	f.Broken = said(connections(f))
	counters, err := mptcp.ReadCounters()
	f.CountersError = said(err)
	for name := range counters.Sorted() {
		f.Counters = append(f.Counters, name)
	}
	f.PathManager = pathManager()
	if f.Probe == "" {
		f.Cells = cells()
	}
	keep(f) // last: it changes the namespace
	return f
}

func keep(f *wire.Facts) {
	var err error
	f.Recorded, err = record(f.Probe == "")
	f.RecordedError = said(err)
}

func said(err error) wire.Error {
	if err == nil {
		return wire.Error{}
	}
	return wire.Error{Text: err.Error(), Unsupported: errors.Is(err, errors.ErrUnsupported)}
}

// cells measures the matrix of faults, for this module.
func cells() []wire.Cell {
	var list []wire.Cell
	ours := slices.DeleteFunc(faultmatrix.Cells(nil), func(c faultmatrix.Cell) bool { return c.Stack != faultmatrix.Ours })
	for _, r := range faultmatrix.Run(ours) {
		list = append(list, wire.Cell{
			Fault: r.Fault.Name, Family: r.Family.String(),
			Client: r.Client.String(), Server: r.Server.String(), Wrong: r.Check(),
		})
	}
	return list
}
