package mptcp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

func readCounters() (Counters, error) {
	// /proc/net is that of the process's first thread, which need not be in
	// the namespace of the thread that asks.
	b, err := os.ReadFile("/proc/thread-self/net/netstat")
	if errors.Is(err, fs.ErrNotExist) {
		b, err = os.ReadFile("/proc/net/netstat") // no thread-self before Linux 3.17, or in gVisor
	}
	if err != nil {
		return nil, fmt.Errorf("mptcp: %w", err)
	}
	c, err := parseNetstat(b, "MPTcpExt")
	if err == nil && c == nil {
		err = fmt.Errorf("mptcp: the kernel has no Multipath TCP counters: %w", errors.ErrUnsupported)
	}
	return c, err
}
