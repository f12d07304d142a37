package mptcp

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe opens one Multipath TCP socket and closes it.
func probe() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err == unix.EAFNOSUPPORT {
		// A host with IPv6 only.
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	}
	if err != nil {
		err = os.NewSyscallError("socket", err)
		return &probeError{reason: socketReason(err), err: err}
	}
	return unix.Close(fd)
}

// socketReason tells apart the errnos that socket(2) gives for IPPROTO_MPTCP.
// Each is found where it arises: inet_create answers EINVAL for a protocol
// number that it cannot hold (before 5.6) and EPROTONOSUPPORT for one that
// nobody registered; mptcp's init refuses with ENOPROTOOPT when the sysctl is
// off; an LSM, seccomp filter or cgroup program answers EPERM or EACCES.
func socketReason(err error) Reason {
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "socket" {
		return ReasonUnknown
	}
	var errno syscall.Errno
	if !errors.As(call.Err, &errno) {
		return ReasonUnknown
	}
	switch errno {
	case unix.EINVAL:
		return ReasonHostTooOld
	case unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT:
		return ReasonHostWithout
	case unix.ENOPROTOOPT:
		return ReasonHostDisabled
	case unix.EPERM, unix.EACCES:
		return ReasonHostDenied
	}
	return ReasonHostError
}
