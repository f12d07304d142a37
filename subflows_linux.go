package mptcp

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

func subflows(c net.Conn) ([]Subflow, error) {
	sc := socketOf(c)
	if sc == nil {
		return nil, ErrNotTCP
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, closedError(err)
	}
	if o, err := observeRaw(raw); err == nil && o.infoErr != 0 && !isTCPSocket(raw) {
		return nil, ErrNotTCP
	}
	list, err := sockopt.Control(raw, readSubflows)
	if err != nil {
		return nil, closedError(err)
	}
	return list, nil
}

// readSubflows asks in the newest way that the kernel has.
func readSubflows(fd int) ([]Subflow, error) {
	infos, tcp, errno := sockopt.FullInfo(fd)
	if errno == 0 {
		list := make([]Subflow, infos.Rows())
		for i := range list {
			list[i].parseSubflowInfo(infos.Row(i))
			if i < tcp.Rows() {
				list[i].parseTCPInfo(tcp.Row(i))
			}
		}
		return list, nil
	}
	if !refused(errno) {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	return readSubflowArrays(fd)
}

// readSubflowArrays asks as kernels from 5.16 to 6.4 can be asked: addresses
// and tcp_info in two calls, between which a subflow may come or go.
func readSubflowArrays(fd int) ([]Subflow, error) {
	for range 4 {
		addrs, errno := sockopt.SubflowArray(fd, sockopt.MPTCPSubflowAddrs, sockopt.SubflowAddrsSize)
		if refused(errno) {
			return readPlain(fd)
		}
		if errno != 0 {
			return nil, os.NewSyscallError("getsockopt", errno)
		}
		tcp, errno := sockopt.SubflowArray(fd, sockopt.MPTCPTCPInfo, sockopt.TCPInfoSize)
		if errno != 0 {
			return nil, os.NewSyscallError("getsockopt", errno)
		}
		if addrs.Rows() != tcp.Rows() {
			continue
		}
		list := make([]Subflow, addrs.Rows())
		for i := range list {
			list[i].parseSubflowAddrs(addrs.Row(i))
			list[i].parseTCPInfo(tcp.Row(i))
		}
		return list, nil
	}
	return nil, fmt.Errorf("subflows came and went while they were being read: %w", unix.EAGAIN)
}

// readPlain describes the one TCP connection of a socket that does not use
// Multipath TCP.
func readPlain(fd int) ([]Subflow, error) {
	var b [sockopt.TCPInfoSize]byte
	n, errno := sockopt.TCPInfo(fd, b[:])
	if errno != 0 {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	var s Subflow
	s.parseTCPInfo(b[:n])
	local, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return nil, os.NewSyscallError("getpeername", err)
	}
	s.Local, s.Remote = sockaddr(local), sockaddr(remote)
	return []Subflow{s}, nil
}
