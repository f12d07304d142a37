package mptcptest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// execMark is the first argument of this program when it was started to enter
// a host and execute another program there:
//
//	execMark, namespace file, "keep" or "drop" capabilities, path, arguments
//
// It is done in a process of its own because a namespace belongs to a thread,
// and an exec.Cmd starts its process from whatever thread calls Start.
const execMark = "mptcptest-exec"

func (ns *namespace) command(cmd *exec.Cmd, privileged bool) {
	caps := "drop"
	if privileged {
		caps = "keep"
	}
	path, err := ns.path()
	if err != nil {
		cmd.Err = err
		return
	}
	cmd.Args = append([]string{execMark, execMark, path, caps, cmd.Path}, cmd.Args...)
	cmd.Path = "/proc/self/exe"
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
}

// execInside becomes the program that Host.Command wants in the host, if that
// is what this process was started for.
func execInside() {
	if len(os.Args) < 6 || os.Args[1] != execMark {
		return
	}
	err := become(os.Args[2], os.Args[3] == "drop", os.Args[4], os.Args[5:])
	fmt.Fprintln(os.Stderr, "mptcptest:", err)
	os.Exit(127)
}

func become(ns string, drop bool, path string, args []string) error {
	runtime.LockOSThread() // exec keeps the namespace and privileges of its thread
	outside, err := ownNamespace()
	if err != nil {
		return err
	}
	fd, err := unix.Open(ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: ns, Err: err}
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	if drop {
		if err := dropCapabilities(); err != nil {
			return err
		}
	}
	env := os.Environ()
	if os.Getenv(envInside) == "" {
		env = append(env, envInside+"="+outside)
	}
	return &os.PathError{Op: "exec", Path: path, Err: unix.Exec(path, args, env)}
}

// dropCapabilities takes all privilege from this thread, and from what it
// executes: uid 0 alone gives none when the bounding set is empty.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL {
			break // past the last one that this kernel knows
		}
		if err != nil {
			return fmt.Errorf("dropping capability %s: %w", strconv.Itoa(int(c)), err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return os.NewSyscallError("capset", unix.Capset(&hdr, &none[0]))
}
