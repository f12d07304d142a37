package transport

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// lull is how long nothing has arrived when a connection is taken for one that
// waits: more than the kernel's clock ticks are apart.
const lull = 8 * time.Millisecond

// widen makes the receive buffer larger of a connection whose window was too
// small for a while: n bytes have arrived since the last look, half of the buffer
// at least, all of them were read, and nothing more has come for some time.
//
// Linux tells a sender that has filled the window of a Multipath TCP connection
// that there is room again only if there is twice as much as before
// (mptcp_cleanup_rbuf in net/mptcp/protocol.c). If there is not, the sender goes
// on after its timeout, of 200 ms, and so with each window: a file that takes 40 ms
// over loopback takes ten seconds, on one connection of four. The kernel lets the
// buffer grow with what arrives in a round trip, which is little then, and has no
// reason to. With as much room as the sender may have under way there is no end
// of it.
func widen(fd int, n uint64, quiet time.Duration) {
	if n < 1<<16 || quiet < lull {
		return
	}
	m, errno := sockopt.Mem(fd)
	if errno != 0 || m.Received > 0 || n < uint64(m.ReceiveTo)/2 {
		return
	}
	enlarge(fd, 2*m.ReceiveTo)
}

// enlarge makes the receive buffer as large as a window of so many bytes needs, if
// it is smaller, and not larger than net.ipv4.tcp_rmem allows. SO_RCVLOWAT is how a
// program does that without ending the buffer's growth by itself, as SO_RCVBUF
// does; Linux has it for Multipath TCP since 6.10.
func enlarge(fd int, window uint32) {
	before, errno := sockopt.GetInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	if errno != 0 {
		return
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, int(min(window, 1<<30)))
	// To look for data has it fetched from the subflows, and to set the mark
	// wakes the reader if there is some.
	var b [1]byte
	_, _, _ = unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, before)
}
