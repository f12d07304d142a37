package mptcptest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownNamespace names the network namespace of this thread.
func ownNamespace() (string, error) { return os.Readlink("/proc/thread-self/ns/net") }

// inside says whether this process was started in a laboratory. The variable
// alone does not prove it, because it can leak into an environment outside.
func inside() bool {
	outside := os.Getenv(envInside)
	if outside == "" {
		return false
	}
	here, err := ownNamespace()
	return err == nil && here != outside
}

// enter runs this program again inside new namespaces and returns its exit
// status. The error is about making the namespaces, never about the program.
func enter() (int, error) {
	outside, err := ownNamespace()
	if err != nil {
		return 0, err
	}
	cmd := &exec.Cmd{
		Path:   "/proc/self/exe", // os.Args[0] may be unreachable, or another file by now
		Args:   os.Args,
		Env:    append(os.Environ(), envInside+"="+outside),
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
			Pdeathsig:   unix.SIGKILL,
		},
	}
	// The signal comes when the thread dies that started the process, and Go
	// ends threads as it likes, but not one that a goroutine is locked to.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			if !typed(s) {
				_ = cmd.Process.Signal(s) // gone already: nobody to tell
			}
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "mptcptest:", err)
		return 1, nil
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		fmt.Fprintln(os.Stderr, "mptcptest: the test process died of", status.Signal())
		return 128 + int(status.Signal()), nil
	case status.ExitStatus() == exitNoLab:
		return 0, errNoPrivilege
	}
	return status.ExitStatus(), nil
}

// typed says whether a signal has come from the keyboard, as Ctrl-C does: then
// the terminal has sent it to the process inside as well, and for many programs
// the second one means that they are to end at once.
func typed(s os.Signal) bool {
	if s != unix.SIGINT && s != unix.SIGQUIT {
		return false
	}
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // there is no terminal
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// setUpInside completes the namespace that the tests start in.
func setUpInside() error { return loopbackUp() }
