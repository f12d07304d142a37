package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// head says what was measured, on what, when, and how to do it again.
func head() string {
	return fmt.Sprintf(`%s, commit %s. Linux %s, %s, %d processors, %s of memory.
%s, gRPC %s, quic-go %s.

Repeat it, without privilege, in less than 15 minutes:

    cd bench && go run . -o ../docs/benchmarks.md

What is in a row is measured in turns, in one run, in an order that is drawn anew for each round; ratios are those of
the same round. So rows can be read from left to right. Figures of different rows, or of different runs, are not to be
compared.

All stacks use the congestion control %s here, except in the table that is about that; the machine's own is %s. "This
module" is the dialer and the listener of package transport with the options of grpcdialer or httptransport, and
"reporting" means that both sides report each RPC or request. "Package net" is its own Multipath TCP.
`, time.Now().UTC().Format("2 January 2006"), commit(), sysctl("kernel/osrelease"), field("/proc/cpuinfo", "model name"),
		runtime.NumCPU(), memoryTotal(), runtime.Version(), version("google.golang.org/grpc"),
		version("github.com/quic-go/quic-go"), fair, hostCongestion)
}

// commit names what is checked out. The report itself does not count.
func commit() string {
	name, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changes, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":!/docs").Output()
	if err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(name)) + " with changes"
	}
	return strings.TrimSpace(string(name))
}

// field reads a line of "name: value".
func field(file, name string) string {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown (" + runtime.GOARCH + ")"
}

func memoryTotal() string {
	kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"))
	if err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}

// version is that of a module in this program.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
}
