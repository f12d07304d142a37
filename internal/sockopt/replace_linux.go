package sockopt

import (
	"os"

	"golang.org/x/sys/unix"
)

// Replace puts another socket in the place of fd, under the same number: the
// file descriptor keeps its value and its owner, the socket behind it changes.
// The new socket is the one that open returns for the domain, type (with
// SOCK_CLOEXEC and SOCK_NONBLOCK) and protocol it is given.
//
// It is for the Control function of [net.Dialer] and [net.ListenConfig], which
// package net calls after it has made a socket and before it binds, connects
// or registers it with the poller: at that moment nothing but the number is
// remembered, so the socket can be of another protocol, or live in another
// network namespace, and everything that package net does afterwards (Happy
// Eyeballs, deadlines, cancellation, the exact errno) applies to it unchanged.
//
// The options that package net has set by then are carried over. If open
// fails, fd is left as it was and the error is an [*os.SyscallError] for
// "socket".
func Replace(fd int, protocol int, open func(domain, typ, protocol int) (int, error)) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	s, err := open(domain, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)

	// What package net sets before it calls Control: SO_REUSEADDR on
	// listeners and IPV6_V6ONLY on every IPv6 socket (net/sockopt_linux.go).
	// SO_BROADCAST means nothing to a stream.
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR); err == nil && on != 0 {
		if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEADDR, on); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if domain == unix.AF_INET6 {
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err == nil {
			err = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
		}
		if err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	for {
		err = unix.Dup3(s, fd, unix.O_CLOEXEC)
		if err != unix.EINTR && err != unix.EBUSY {
			return os.NewSyscallError("dup3", err)
		}
	}
}
