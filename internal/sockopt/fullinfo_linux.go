package sockopt

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of the structs of linux/mptcp.h that these calls exchange.
const (
	SubflowInfoSize  = 264 // struct mptcp_subflow_info: an id and two addresses
	SubflowDataSize  = 16  // struct mptcp_subflow_data: the head of an array
	SubflowAddrsSize = 256 // struct mptcp_subflow_addrs: two sockaddr_storage
	TCPInfoSize      = 280 // struct tcp_info, as of Linux 6.18

	fullInfoMin  = 40 // struct mptcp_full_info without its mptcp_info
	maxArrayRows = 64 // Linux allows 8 subflows, 64 from 7.2 on
)

// An Array is what the kernel returned for each subflow: Rows of Stride bytes,
// of which it wrote the first Size.
type Array struct {
	Data         []byte
	Stride, Size int
}

// Row returns what the kernel wrote for subflow i.
func (a Array) Row(i int) []byte { return a.Data[i*a.Stride:][:a.Size] }

// Rows returns the number of rows.
func (a Array) Rows() int { return len(a.Data) / a.Stride }

// fullInfo is a struct mptcp_full_info without its mptcp_info.
type fullInfo struct {
	tcpKernel, tcpUser, sfKernel, sfUser uint32
	subflows, arrays                     uint32
	sfPtr, tiPtr                         uint64
}

// FullInfo reads addresses and tcp_info of every subflow at one moment
// (MPTCP_FULL_INFO, Linux 6.5): a mptcp_subflow_info and a tcp_info for each.
func FullInfo(fd int) (subflows, tcp Array, errno syscall.Errno) {
	for rows := 8; ; rows = maxArrayRows {
		sf := make([]byte, rows*SubflowInfoSize)
		ti := make([]byte, rows*TCPInfoSize)

		// struct mptcp_full_info carries the arrays as numbers. Pinning keeps
		// them where they are while only the kernel knows of them.
		var pin runtime.Pinner
		pin.Pin(&sf[0])
		pin.Pin(&ti[0])
		req := fullInfo{
			tcpUser: TCPInfoSize, sfUser: SubflowInfoSize, arrays: uint32(rows),
			sfPtr: uint64(uintptr(unsafe.Pointer(&sf[0]))), tiPtr: uint64(uintptr(unsafe.Pointer(&ti[0]))),
		}
		_, errno = Get(fd, SolMPTCP, MPTCPFullInfo, (*[fullInfoMin]byte)(unsafe.Pointer(&req))[:])
		pin.Unpin()
		if errno != 0 {
			return subflows, tcp, errno
		}
		if req.subflows > uint32(rows) && rows < maxArrayRows {
			continue
		}
		subflows, tcp = req.rows(sf, ti)
		return subflows, tcp, 0
	}
}

// rows finds the rows in what the kernel has filled. It lays them out by the
// size that both sides know, and says so in the user sizes.
func (r *fullInfo) rows(sf, ti []byte) (subflows, tcp Array) {
	return newArray(sf, r.sfUser, min(r.subflows, r.arrays)), newArray(ti, r.tcpUser, min(r.subflows, r.arrays))
}

// newArray has n rows of b, or none where b is too short for them.
func newArray(b []byte, stride, n uint32) Array {
	size := uint64(stride) * uint64(n)
	if stride == 0 || size > uint64(len(b)) {
		return Array{Stride: 1}
	}
	return Array{Data: b[:size], Stride: int(stride), Size: int(stride)}
}

// subflowHead is a struct mptcp_subflow_data.
type subflowHead struct{ size, subflows, sizeKernel, sizeUser uint32 }

// SubflowArray reads MPTCP_SUBFLOW_ADDRS or MPTCP_TCPINFO (Linux 5.16): one
// row of at most size bytes for each subflow.
func SubflowArray(fd, opt, size int) (Array, syscall.Errno) {
	for rows := 8; ; rows = maxArrayRows {
		a, subflows, errno := SubflowRows(fd, opt, size, make([]byte, SubflowDataSize+rows*size))
		if errno != 0 || subflows <= rows || rows == maxArrayRows {
			return a, errno
		}
	}
}

// SubflowRows is SubflowArray into b, which holds a struct mptcp_subflow_data and
// as many rows as have room. It returns the number of all subflows as well, and
// does not allocate.
func SubflowRows(fd, opt, size int, b []byte) (a Array, subflows int, errno syscall.Errno) {
	head := (*subflowHead)(unsafe.Pointer(&b[0]))
	*head = subflowHead{size: SubflowDataSize, sizeUser: uint32(size)} // the kernel insists on zeros
	n, errno := Get(fd, SolMPTCP, opt, b)
	if errno != 0 {
		return Array{Stride: 1}, 0, errno
	}
	return head.rows(b[SubflowDataSize:max(SubflowDataSize, n)], size), int(head.subflows), 0
}

// rows finds the rows in what the kernel has written after the head. As above:
// where the kernel's struct is shorter, the rows are.
func (h *subflowHead) rows(b []byte, size int) Array {
	if h.sizeUser == 0 || h.sizeUser > uint32(size) {
		return Array{Stride: 1}
	}
	return newArray(b, h.sizeUser, min(h.subflows, uint32(len(b))/h.sizeUser))
}

// TCPInfo reads the tcp_info of a TCP socket into b and returns its length.
func TCPInfo(fd int, b []byte) (int, syscall.Errno) {
	return Get(fd, unix.IPPROTO_TCP, unix.TCP_INFO, b)
}

// FirstClosed reports whether the first subflow of a Multipath TCP socket has
// ended, or the one TCP connection of another: TCP_INFO describes that one.
func FirstClosed(fd int) bool {
	const tcpClose = 7 // TCP_CLOSE (net/tcp_states.h)
	var state [1]byte
	n, errno := TCPInfo(fd, state[:])
	return errno == 0 && n == 1 && state[0] == tcpClose
}
