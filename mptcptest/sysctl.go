package mptcptest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// Sysctl sets a kernel parameter of the host, such as net.mptcp.enabled.
func (h *Host) Sysctl(name string, value any) {
	h.net.t.Helper()
	v := fmt.Sprint(value)
	h.setSysctl(name, v)
	h.net.configured("%s: %s = %s", h.name, name, v)
}

func (h *Host) setSysctl(name, v string) {
	h.net.t.Helper()
	var err error
	h.Do(func() { err = os.WriteFile(sysctlFile(name), []byte(v), 0) })
	if errors.Is(err, syscall.EROFS) {
		err = fmt.Errorf("%w: /proc/sys is mounted read-only, as in a container: start it with --privileged", err)
	}
	if err != nil {
		h.net.t.Fatalf("mptcptest: host %s: %v", h.name, err)
	}
}

// ReadSysctl reads a kernel parameter of the host.
func (h *Host) ReadSysctl(name string) string {
	h.net.t.Helper()
	var b []byte
	var err error
	h.Do(func() { b, err = os.ReadFile(sysctlFile(name)) })
	if err != nil {
		h.net.t.Fatalf("mptcptest: host %s: %v", h.name, err)
	}
	return strings.TrimSpace(string(b))
}

// relaxReversePath lets a host accept packets by whatever link they come.
// Distributions differ in what they set, and namespaces inherit it.
func (h *Host) relaxReversePath() {
	h.Do(func() {
		for _, ifc := range []string{"all", "default"} {
			// Where it cannot be written, the routes are symmetric enough.
			_ = os.WriteFile("/proc/sys/net/ipv4/conf/"+ifc+"/rp_filter", []byte("0"), 0)
		}
	})
}

// sysctlFile finds the file of a parameter. A dot in the name of an interface
// is written as a slash, as sysctl(8) has it.
func sysctlFile(name string) string {
	swap := func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}
	return "/proc/sys/" + strings.Map(swap, name)
}
