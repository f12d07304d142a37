package mptcp

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// fallbackReason looks up why the connection behind c has fallen back. It
// returns ReasonUnknown if inet_diag cannot be asked or does not know the
// connection, which it is recognized by: address, port and inode. known is false
// if it might be asked at another time.
func fallbackReason(c syscall.RawConn) (reason Reason, known bool) {
	t, err := sockopt.Control(c, newDiagTarget)
	if err != nil {
		return ReasonUnknown, false
	}
	if t.netns >= 0 {
		defer unix.Close(t.netns)
	}
	e, err := t.lookup()
	if err != nil && t.netns >= 0 {
		// Not in this namespace: the socket may have been made in another one.
		e, err = t.lookupIn(t.netns)
	}
	if err != nil {
		return ReasonUnknown, forGood(err)
	}
	return e.reason(), true
}

// forGood reports whether err says that there is no inet_diag, that this process
// may not ask it, or that it does not know the connection, which may have ended
// (ENOTCONN). Others, such as a lack of file descriptors or of memory, pass.
func forGood(err error) bool {
	var errno syscall.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.ENOENT, unix.ENOTCONN, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.EPERM, unix.EACCES:
		return true
	}
	return false
}

// diagTarget is what a socket is looked up by.
type diagTarget struct {
	family        uint8
	local, remote netip.AddrPort
	ifindex       uint32
	inode         uint32
	netns         int // the socket's network namespace, -1 if it cannot be had
}

func newDiagTarget(fd int) (t diagTarget, err error) {
	t.netns = -1
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return t, os.NewSyscallError("fstat", err)
	}
	t.inode = uint32(st.Ino)
	local, err := unix.Getsockname(fd)
	if err != nil {
		return t, os.NewSyscallError("getsockname", err)
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return t, os.NewSyscallError("getpeername", err)
	}
	t.local, t.remote = sockaddr(local), sockaddr(remote)
	t.family = unix.AF_INET6
	if t.local.Addr().Is4() {
		t.family = unix.AF_INET
	}
	// A socket bound to an interface, as are those of link-local addresses, is
	// found only if the interface is named.
	if i, errno := sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX); errno == 0 {
		t.ifindex = uint32(i)
	}
	// SIOCGSKNS needs CAP_NET_ADMIN and is needed only for sockets of another
	// namespace, which takes more privilege than that to make.
	if ns, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS); err == nil {
		t.netns = ns
	}
	return t, nil
}

// sockaddr returns the address with IPv4-mapped ones unmapped: the kernel
// keeps those connections in its IPv4 table.
func sockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// lookup asks inet_diag of the calling thread's namespace.
func (t diagTarget) lookup() (e evidence, err error) {
	nl, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return e, os.NewSyscallError("socket", err)
	}
	defer unix.Close(nl)
	// The kernel answers within the send; the timeout is for one that does not.
	if err := unix.SetsockoptTimeval(nl, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return e, os.NewSyscallError("setsockopt", err)
	}

	b, err := t.ask(nl, unix.IPPROTO_TCP, 0)
	if err != nil {
		return e, err
	}
	if !e.parseTCPDiag(b) || e.inode != t.inode {
		return evidence{}, unix.ENOENT
	}
	if e.token != 0 {
		var msk evidence
		if b, err := t.ask(nl, unix.IPPROTO_MPTCP, e.token); err == nil && msk.parseMPTCPDiag(b) && msk.inode == t.inode {
			e.msk, e.hasMsk = msk.msk, msk.hasMsk
		}
	}
	return e, nil
}

// lookupIn is lookup in the namespace netns. The thread goes there and comes
// back, in a goroutine of its own: if it cannot come back it stays locked, and
// ends with the goroutine, so that no other code ever runs in that namespace.
func (t diagTarget) lookupIn(netns int) (evidence, error) {
	type result struct {
		e   evidence
		err error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		here, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			done <- result{err: os.NewSyscallError("open", err)}
			return
		}
		defer unix.Close(here)
		if err := unix.Setns(netns, unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- result{err: os.NewSyscallError("setns", err)}
			return
		}
		e, err := t.lookup()
		if unix.Setns(here, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- result{e, err}
	}()
	r := <-done
	return r.e, r.err
}

// ask sends one request for exactly one socket and returns the inet_diag_msg
// of the answer. TCP sockets are found by address, Multipath TCP ones by token
// only.
func (t diagTarget) ask(nl int, protocol uint32, token uint32) ([]byte, error) {
	const (
		headerSize  = unix.SizeofNlMsghdr
		requestSize = 56 // struct inet_diag_req_v2
		attrSize    = 8  // INET_DIAG_REQ_PROTOCOL, for a number that a byte cannot hold
		reqProtocol = 3
	)
	ne := binary.NativeEndian
	b := make([]byte, headerSize+requestSize+attrSize, 4096)
	ne.PutUint32(b[0:], uint32(len(b)))
	ne.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)

	q := b[headerSize:]
	q[0] = t.family
	q[1] = uint8(protocol) // meaningless for Multipath TCP, where the attribute counts
	q[2] = 1 << (diagInfo - 1)
	ne.PutUint32(q[4:], ^uint32(0)) // any state
	id := q[8:]
	binary.BigEndian.PutUint16(id[0:], t.local.Port())
	binary.BigEndian.PutUint16(id[2:], t.remote.Port())
	copy(id[4:20], t.local.Addr().AsSlice())
	copy(id[20:36], t.remote.Addr().AsSlice())
	ne.PutUint32(id[36:], t.ifindex)
	ne.PutUint32(id[40:], ^uint32(0)) // INET_DIAG_NOCOOKIE
	ne.PutUint32(id[44:], ^uint32(0))
	if token != 0 {
		ne.PutUint32(id[40:], token)
	}
	a := q[requestSize:]
	ne.PutUint16(a[0:], attrSize)
	ne.PutUint16(a[2:], reqProtocol)
	ne.PutUint32(a[4:], protocol)

	if err := unix.Sendto(nl, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	b = b[:cap(b)]
	n, _, err := unix.Recvfrom(nl, b, 0)
	if err != nil {
		return nil, os.NewSyscallError("recvfrom", err)
	}
	return diagPayload(b[:n])
}

// diagPayload returns the payload of the first netlink message in b, or the
// error that it carries.
func diagPayload(b []byte) ([]byte, error) {
	if len(b) < unix.SizeofNlMsghdr {
		return nil, unix.EBADMSG
	}
	n := int(binary.NativeEndian.Uint32(b))
	if n < unix.SizeofNlMsghdr || n > len(b) {
		return nil, unix.EBADMSG
	}
	typ, payload := binary.NativeEndian.Uint16(b[4:]), b[unix.SizeofNlMsghdr:n]
	switch {
	case typ == unix.SOCK_DIAG_BY_FAMILY:
		return payload, nil
	case typ == unix.NLMSG_ERROR && len(payload) >= 4:
		if errno := int32(binary.NativeEndian.Uint32(payload)); errno < 0 {
			return nil, syscall.Errno(-errno)
		}
	}
	return nil, unix.EBADMSG
}
