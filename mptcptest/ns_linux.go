package mptcptest

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"github.com/multipath-go/mptcp/internal/sockopt"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace, kept alive by an open file and by nothing
// else: no thread and no process lives in it.
type namespace struct {
	file *os.File
	raw  syscall.RawConn
}

const threadNamespace = "/proc/thread-self/ns/net"

// newNamespace makes a network namespace with the loopback up.
func newNamespace() (*namespace, error) {
	ns := &namespace{}
	err := visit(func() error {
		return os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
	}, func() (err error) {
		if ns.file, err = os.Open(threadNamespace); err != nil {
			return err
		}
		if ns.raw, err = ns.file.SyscallConn(); err != nil {
			return err
		}
		return loopbackUp()
	})
	return ns, err
}

// do runs f with its thread in the namespace. Goroutines that f starts are not
// in it. The error is about entering; f may panic or call runtime.Goexit.
func (ns *namespace) do(f func()) error {
	return visit(ns.enter, func() error { f(); return nil })
}

// enter moves the thread.
func (ns *namespace) enter() error {
	var err error
	outer := ns.raw.Control(func(fd uintptr) { err = unix.Setns(int(fd), unix.CLONE_NEWNET) })
	if outer != nil {
		return outer // closed
	}
	return os.NewSyscallError("setns", err)
}

// path is a name for the namespace that other processes of this user can open.
// The error is that the namespace has been closed.
func (ns *namespace) path() (name string, err error) {
	err = ns.raw.Control(func(fd uintptr) { name = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd) })
	return name, err
}

func (ns *namespace) close() error { return ns.file.Close() }

// visit runs f on a thread that enter has moved to another network namespace,
// and moves the thread back. Visits nest.
func visit(enter, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := unix.Open(threadNamespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: threadNamespace, Err: err}
	}
	defer unix.Close(here)
	if err := enter(); err != nil {
		return err
	}
	defer func() {
		if err := unix.Setns(here, unix.CLONE_NEWNET); err != nil {
			runtime.LockOSThread() // nothing else may ever run on this thread
			panic(os.NewSyscallError("setns", err))
		}
	}()
	return f()
}

// loopbackUp brings up the loopback of this thread's namespace, unless it is
// up: then it needs no privilege.
func loopbackUp() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	if lo.Flags&net.FlagUp != 0 {
		return nil
	}
	return route(func(c *routeConn) error { return c.setUp(lo.Index, true) })
}

// adopt replaces a socket that package net has made by one in the namespace.
func (ns *namespace) adopt(c syscall.RawConn) error {
	_, err := sockopt.Control(c, func(fd int) (struct{}, error) {
		proto, errno := sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if errno != 0 {
			return struct{}{}, os.NewSyscallError("getsockopt", errno)
		}
		return struct{}{}, sockopt.Replace(fd, proto, ns.socket)
	})
	return err
}

// socket is socket(2) in the namespace.
func (ns *namespace) socket(domain, typ, proto int) (fd int, err error) {
	err = visit(ns.enter, func() (err error) {
		fd, err = unix.Socket(domain, typ, proto)
		return err
	})
	return fd, err
}
