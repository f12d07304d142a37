package sockopt

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Option numbers and levels that x/sys does not have, from linux/mptcp.h,
// linux/tcp.h and linux/socket.h.
const (
	SolMPTCP = 284 // SOL_MPTCP, Linux 5.16

	MPTCPInfo         = 1 // struct mptcp_info, 5.16
	MPTCPTCPInfo      = 2 // struct tcp_info of each subflow, 5.16
	MPTCPSubflowAddrs = 3 // addresses of each subflow, 5.16
	MPTCPFullInfo     = 4 // all of it at once, 6.5

	TCPIsMPTCP = 43 // TCP_IS_MPTCP, 6.10
)

// Get reads a socket option into b and returns how many bytes the kernel
// wrote, which may be fewer than it has or than b holds. It does not allocate.
func Get(fd, level, opt int, b []byte) (int, syscall.Errno) {
	n := uint32(len(b))
	for {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
		switch errno {
		case 0:
			return int(min(n, uint32(len(b)))), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// GetInt reads a socket option that is an int.
func GetInt(fd, level, opt int) (int, syscall.Errno) {
	var v int32
	b := (*[4]byte)(unsafe.Pointer(&v))
	_, errno := Get(fd, level, opt, b[:])
	return int(v), errno
}
