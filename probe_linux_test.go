package mptcp

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProbe(t *testing.T) {
	if err := Probe(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketErrno(t *testing.T) {
	for _, tt := range []struct {
		errno       unix.Errno
		want        Reason
		unsupported bool
	}{
		{unix.EINVAL, ReasonHostTooOld, true},
		{unix.EPROTONOSUPPORT, ReasonHostWithout, true},
		{unix.ENOPROTOOPT, ReasonHostDisabled, true},
		{unix.EPERM, ReasonHostDenied, true},
		{unix.EACCES, ReasonHostDenied, true},
		{unix.EMFILE, ReasonHostError, false},
		{unix.ENFILE, ReasonHostError, false},
		{unix.ENOBUFS, ReasonHostError, false},
	} {
		call := os.NewSyscallError("socket", tt.errno)
		err := error(&probeError{reason: socketReason(call), err: call})
		if got := ProbeReason(err); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.errno, got, tt.want)
		}
		if got := ProbeReason(fmt.Errorf("wrapped: %w", call)); got != tt.want {
			t.Errorf("%v without a probe: %v, want %v", tt.errno, got, tt.want)
		}
		if errors.Is(err, errors.ErrUnsupported) != tt.unsupported {
			t.Errorf("%v: matches ErrUnsupported: %v, want %v", err, !tt.unsupported, tt.unsupported)
		}
		if !errors.Is(err, tt.errno) {
			t.Errorf("%v does not match its errno", err)
		}
	}
	for _, other := range []error{nil, errors.New("x"), os.NewSyscallError("connect", unix.ENOPROTOOPT)} {
		if got := ProbeReason(other); got != ReasonUnknown {
			t.Errorf("ProbeReason(%v) = %v", other, got)
		}
	}
}

func TestProbeOutOfFiles(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	err := Probe()
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil {
		t.Fatal(e)
	}
	if err == nil || errors.Is(err, errors.ErrUnsupported) || ProbeReason(err) != ReasonHostError {
		t.Errorf("Probe without a file descriptor: %v: want an error that decides nothing", err)
	}
}
