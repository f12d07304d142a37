package mptcp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

// An observation is what the kernel answered about one socket. Each question
// is asked only if the ones before it left something open.
type observation struct {
	info     mptcpinfo.Info
	infoErr  syscall.Errno // of MPTCP_INFO
	protocol int           // SO_PROTOCOL
	protoErr syscall.Errno
	is       int           // TCP_IS_MPTCP
	isErr    syscall.Errno // ENOPROTOOPT or EOPNOTSUPP before Linux 6.10
	dead     bool          // no subflow is left; seen so only where info does not count them
}

// refused reports whether errno is what a socket that is not, or no longer, a
// Multipath TCP socket answers to MPTCP_INFO: EOPNOTSUPP for IPv4 and
// ENOPROTOOPT for IPv6, IPv4-mapped addresses included. A kernel without
// SOL_MPTCP, before 5.16, answers the same on every socket.
func refused(errno syscall.Errno) bool {
	return errno == unix.EOPNOTSUPP || errno == unix.ENOPROTOOPT
}

// observe asks about fd. buf is scratch space for the answer.
func observe(fd int, buf *[mptcpinfo.SizeLast]byte) (o observation) {
	*buf = [mptcpinfo.SizeLast]byte{}
	var n int
	if n, o.infoErr = sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, buf[:]); o.infoErr == 0 {
		var ok bool
		if o.info, ok = mptcpinfo.Parse(buf[:n]); !ok {
			o.infoErr = unix.EMSGSIZE
		}
		o.dead = o.info.Flags&mptcpinfo.FlagRemoteKeyReceived != 0 && o.info.ExtraSubflows == 0 &&
			!o.info.Has(mptcpinfo.SizeSubflowsTotal) && sockopt.FirstClosed(fd)
		return o
	}
	if !refused(o.infoErr) {
		return o
	}
	if o.protocol, o.protoErr = sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); o.protoErr != 0 || o.protocol != unix.IPPROTO_MPTCP {
		return o
	}
	o.is, o.isErr = sockopt.GetInt(fd, unix.IPPROTO_TCP, sockopt.TCPIsMPTCP)
	return o
}

// classify turns an observation into a status without a reason. hasInfo tells
// whether this kernel answers MPTCP_INFO at all; it is called only if a kernel
// without TCP_IS_MPTCP leaves that open.
func (o observation) classify(hasInfo func() bool) (Status, error) {
	switch {
	case o.dead:
		return Status{Reason: ReasonNoSubflow}, nil
	case o.infoErr == 0:
		return infoStatus(o.info), nil
	case !refused(o.infoErr):
		return Status{}, os.NewSyscallError("getsockopt", o.infoErr)
	case o.protoErr != 0:
		return Status{}, os.NewSyscallError("getsockopt", o.protoErr)
	case o.protocol == unix.IPPROTO_TCP:
		return Status{State: TCP}, nil
	case o.protocol != unix.IPPROTO_MPTCP:
		return Status{}, ErrNotTCP
	case o.isErr == 0 && o.is == 0:
		return Status{State: Fallback}, nil
	case o.isErr != 0 && hasInfo():
		// The kernel answers MPTCP_INFO on sockets that use Multipath TCP,
		// and refused it on this one.
		return Status{State: Fallback}, nil
	}
	return Status{}, nil
}

// infoSupport remembers whether the kernel answers MPTCP_INFO: 0 not known
// yet, 1 yes, 2 no.
var infoSupport atomic.Uint32

// kernelHasInfo asks an unconnected socket, which cannot have fallen back. Only
// a conclusive answer is kept: while Multipath TCP is switched off there is no
// socket to ask.
func kernelHasInfo() bool {
	if v := infoSupport.Load(); v != 0 {
		return v == 1
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var b [mptcpinfo.SizeLast]byte
	switch _, errno := sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, b[:]); {
	case errno == 0:
		infoSupport.Store(1)
		return true
	case refused(errno):
		infoSupport.Store(2)
	}
	return false
}

// A reader asks about a socket without allocating: RawConn.Control wants a
// function value, and making one for each call would put it on the heap.
type reader struct {
	o   observation
	buf [mptcpinfo.SizeLast]byte
	f   func(fd uintptr)
}

// readers are readers not in use. A channel and not a sync.Pool: the pool
// drops what it holds at its own discretion, and always does some of it under
// the race detector, so that nobody could test that a lookup does not allocate.
var readers = make(chan *reader, 16)

func newReader() *reader {
	select {
	case r := <-readers:
		return r
	default:
		r := new(reader)
		r.f = func(fd uintptr) { r.o = observe(int(fd), &r.buf) }
		return r
	}
}

func (r *reader) free() {
	select {
	case readers <- r:
	default:
	}
}

// observeRaw asks about the socket behind c.
func observeRaw(c syscall.RawConn) (observation, error) {
	r := newReader()
	defer r.free()
	if err := c.Control(r.f); err != nil {
		return observation{}, err
	}
	return r.o, nil
}

func nop(uintptr) {}

// inspectEntry reads the status of a tracked connection.
func inspectEntry(e *conntable.Entry) (Status, error) {
	if v := e.Ended.Load(); v != 0 {
		return Status{State: Unknown, Reason: Reason(v)}, closedError(e.Raw.Control(nop))
	}
	if v := e.Final.Load(); v != 0 {
		// Fallen back for good; all that may have changed is that it is closed.
		return unpackFinal(v), closedError(e.Raw.Control(nop))
	}
	o, err := observeRaw(e.Raw)
	if err != nil {
		return unpackLast(e.Last.Load()), closedError(err)
	}
	s, err := o.classify(kernelHasInfo)
	if err != nil {
		return s, fmt.Errorf("mptcp: %w", err)
	}
	switch {
	case s.State == TCP:
		s.State, s.Reason = State(e.PlainState), Reason(e.PlainReason)
		e.Final.Store(packFinal(s))
	case s.State == Fallback:
		var known bool
		if s.Reason, known = fallbackReason(e.Raw); !known {
			return s, nil // and ask again
		}
		// Whoever asked first decides, so that the answer does not change.
		if !e.Final.CompareAndSwap(0, packFinal(s)) {
			s = unpackFinal(e.Final.Load())
		} else if unpackLast(e.Last.Load()).State == Multipath {
			conntable.CountLost(e.Role, uint8(s.Reason))
		}
	default:
		e.Last.Store(packLast(s))
		if sent, received, ok := s.Bytes(); ok {
			e.Carried.Set(sent, received)
		}
	}
	return s, nil
}

// inspectConn reads the status of a connection that nobody tracks.
func inspectConn(c syscall.Conn) (Status, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Status{}, closedError(err)
	}
	o, err := observeRaw(raw)
	if err != nil {
		return Status{}, closedError(err)
	}
	if o.infoErr == unix.ENOTSOCK || o.infoErr != 0 && !isTCPSocket(raw) {
		return Status{}, ErrNotTCP
	}
	s, err := o.classify(kernelHasInfo)
	if err == ErrNotTCP {
		return s, err
	}
	if err != nil {
		return s, fmt.Errorf("mptcp: %w", err)
	}
	if s.State == Fallback {
		s.Reason, _ = fallbackReason(raw)
	}
	return s, nil
}

// isTCPSocket tells a TCP socket from a datagram or Unix socket, all of which
// refuse MPTCP_INFO alike.
func isTCPSocket(c syscall.RawConn) bool {
	ok, err := sockopt.Control(c, func(fd int) (bool, error) {
		domain, errno := sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if errno != 0 || domain != unix.AF_INET && domain != unix.AF_INET6 {
			return false, nil
		}
		typ, errno := sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		return errno == 0 && typ == unix.SOCK_STREAM, nil
	})
	return ok && err == nil
}

// closedError makes sure that the error of a closed connection matches
// net.ErrClosed; the poller's own error for a file does not.
func closedError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("mptcp: %w", err)
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("mptcp: %w", net.ErrClosed)
	}
	return fmt.Errorf("mptcp: %w", err)
}
