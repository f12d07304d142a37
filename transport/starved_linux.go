package transport

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// starved reports whether the kernel has forgotten the first subflow of a connection
// that has data to send. Info is the subflow's struct tcp_info.
//
// The scheduler takes the pacing rate of a subflow in 32 bits, and passes over one
// whose rate is zero (pace in mptcp_subflow_get_send, net/mptcp/protocol.c).
// Loopback is fast enough for rates that do not fit, and what is left of one is zero if
// it is a multiple of 2^32. Half of the first window is a segment of 32768 bytes, the
// congestion window doubles, and the factors of the rate are round too, so it happens:
// to one in some hundred downloads of 64 MiB by HTTP/2, of any program. The rate
// changes with the next acknowledgement; but if everything has been acknowledged that
// was sent, nothing is sent for ever.
func starved(info []byte) bool {
	if len(info) < tcpInfoPacing+8 {
		return false
	}
	rate := binary.NativeEndian.Uint64(info[tcpInfoPacing:]) // all ones: no limit
	return rate > 0 && uint32(rate) == 0 && binary.NativeEndian.Uint32(info[tcpInfoUnacked:]) == 0
}

// repace has the kernel choose another pacing rate for the subflows, and reports whether
// it did. BBR does so when it takes over, and what was there before takes over again at
// once; what remains is that the kernel paces the subflows itself. Not every host has
// it, and lets everybody use it: that is asked in vain at each look, so it is no refusal
// to count.
func repace(fd int) bool {
	before, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil || collapses(before) || unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr") != nil {
		return false
	}
	return setCongestion(fd, before) || setCongestion(fd, alternative)
}

// feed lets a connection go on that is starved, where the host permits it. Nothing of
// what it has written was acknowledged since the last look.
func (s *sight) feed(fd int) {
	if n, errno := sockopt.TCPInfo(fd, s.tcp[:]); errno == 0 && starved(s.tcp[:n]) {
		repace(fd)
	}
}
