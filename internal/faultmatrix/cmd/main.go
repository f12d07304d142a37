// Command cmd measures the fault matrix in a laboratory and writes it as a
// document. Run it in the root of the module:
//
//	go run ./internal/faultmatrix/cmd
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/internal/faultmatrix"
	"github.com/multipath-go/mptcp/mptcptest"
)

func main() { mptcptest.Main(new(program)) }

type program struct{}

// Run measures and writes. It returns the exit status: 1 if something is not as
// expected, though the document is written all the same.
func (program) Run() int {
	output := flag.String("o", "docs/fault-matrix.md", "`file` to write")
	flag.Parse()
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	start := time.Now()
	results := faultmatrix.Run(faultmatrix.Cells(nil))
	status := 0
	for _, r := range results {
		for _, line := range r.Before {
			fmt.Fprintf(os.Stderr, "%s: measured twice: %s\n", r.Cell, line)
		}
		for _, line := range r.Check() {
			fmt.Fprintf(os.Stderr, "%s: %s\n", r.Cell, line)
			status = 1
		}
	}
	text, err := faultmatrix.Document(results, strings.TrimSpace(string(kernel)), start.Format("January 2006"))
	if err == nil {
		err = os.WriteFile(*output, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "%d cells in %v\n", len(results), time.Since(start).Round(time.Second))
	return status
}
