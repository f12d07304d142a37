package transport

import (
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

// useMultipath replaces the TCP socket behind c by a Multipath TCP one, and
// returns the congestion control to apply to it, or nil for none. Its error is
// that of socket(2), and c is then the TCP socket still.
func useMultipath(c syscall.RawConn, congestionControl string) (*congestion, error) {
	return sockopt.Control(c, func(fd int) (*congestion, error) {
		cc := chooseCongestion(fd, congestionControl)
		err := sockopt.Replace(fd, unix.IPPROTO_MPTCP, unix.Socket)
		if err != nil && cc != nil {
			// It was tried on the TCP socket, which remains. A host lets
			// everybody go back to its default.
			setCongestion(fd, cc.before)
		}
		return cc, err
	})
}

// A congestion is a congestion control that was set on a socket.
type congestion struct {
	set, before string
	automatic   bool // nobody asked for it by name
}

// apply sets the congestion control, unless the caller's Control function has
// set one itself. It reports whether it did. A failure leaves the host's
// default, which is no reason to fail a dial.
func (cc *congestion) apply(c syscall.RawConn) bool {
	ok, err := sockopt.Control(c, func(fd int) (bool, error) {
		if now, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION); err != nil || now != cc.before {
			return false, nil
		}
		return setCongestion(fd, cc.set), nil
	})
	return ok && err == nil
}

// alternative is what is used in the place of a congestion control that
// collapses. Every process may use it. CUBIC would gain more after a rare loss
// where the rate is some hundred Mbit/s and the path is long; but on a path
// without delay Linux 6.18 lets its Multipath TCP connections stand still for
// 200 ms twice a second, so that writes of 16 KiB reach a fifth of the rate of
// TCP, where Reno's reach nine tenths.
const alternative = "reno"

// collapses reports whether a congestion control is known to be slow on
// Multipath TCP. BBR paces by the rate at which data was delivered, and leaves
// out the times when the application had nothing to send; on a subflow those
// are not marked, so it takes the application's rate for the path's. On an
// unshaped link that costs a factor of 50.
func collapses(name string) bool { return strings.HasPrefix(name, "bbr") }

// chooseCongestion returns what to set on a Multipath TCP socket made in the
// place of the TCP socket fd, or nil for nothing. It tries the names on fd: a
// TCP socket refuses one that this process may not use or that does not exist,
// where an unconnected Multipath TCP socket accepts any name and ignores it.
func chooseCongestion(fd int, want string) *congestion {
	before, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil {
		return nil
	}
	if want != "" {
		if want == before || !setCongestion(fd, want) {
			return nil
		}
		return &congestion{set: want, before: before}
	}
	if !collapses(before) || !setCongestion(fd, alternative) {
		return nil
	}
	return &congestion{set: alternative, before: before, automatic: true}
}

// setCongestion sets the congestion control of fd. A failure leaves another one,
// and is counted.
func setCongestion(fd int, name string) (ok bool) {
	ok = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name) == nil
	if !ok {
		conntable.CountRefused(conntable.CongestionControl)
	}
	return ok
}

// restore sets what was there before on a connection that uses TCP.
func (cc *congestion) restore(c net.Conn) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	// A failure leaves the alternative, which is as good for TCP.
	_ = raw.Control(func(fd uintptr) { setCongestion(int(fd), cc.before) })
}

func readCongestion(c syscall.RawConn) string {
	name, err := sockopt.Control(c, func(fd int) (string, error) {
		return unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
	if err != nil {
		return ""
	}
	return name
}

// isMultipathSocket reports whether c was made as a Multipath TCP socket,
// whatever it uses by now.
func isMultipathSocket(c syscall.RawConn) bool {
	proto, err := sockopt.Control(c, func(fd int) (int, error) {
		return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	})
	return err == nil && proto == unix.IPPROTO_MPTCP
}

func closeOnExec(fd int) { unix.CloseOnExec(fd) }

// perConnection reports whether an error of accept(2) is that of one client
// and not of the listener: Linux passes on errors that were pending on the new
// socket (accept(2), "Error handling"), and a firewall may forbid a connection.
func perConnection(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNABORTED, unix.ECONNRESET, unix.EPERM, unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP,
		unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET, unix.ETIMEDOUT:
		return true
	}
	return false
}
