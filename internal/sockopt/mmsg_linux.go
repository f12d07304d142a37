package sockopt

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch receives or sends many packets with one system call. It is reused from
// call to call and does not allocate.
type Batch struct {
	hdrs []mmsghdr
	iovs []unix.Iovec
}

// mmsghdr is struct mmsghdr. Its padding at the end is that of C.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// NewBatch returns a Batch for at most n packets at a time.
func NewBatch(n int) *Batch {
	b := &Batch{hdrs: make([]mmsghdr, n), iovs: make([]unix.Iovec, n)}
	for i := range b.hdrs {
		b.hdrs[i].hdr.Iov = &b.iovs[i]
		b.hdrs[i].hdr.SetIovlen(1)
	}
	return b
}

// Len is how long the i-th packet of the last call was.
func (b *Batch) Len(i int) int { return int(b.hdrs[i].n) }

// Recv fills bufs with what has arrived, without waiting, and returns how many
// packets that were.
func (b *Batch) Recv(fd int, bufs [][]byte) (int, syscall.Errno) {
	return b.call(unix.SYS_RECVMMSG, fd, bufs)
}

// Send sends bufs without waiting, and returns how many packets were taken.
// The error is about the first that was not.
func (b *Batch) Send(fd int, bufs [][]byte) (int, syscall.Errno) {
	return b.call(unix.SYS_SENDMMSG, fd, bufs)
}

func (b *Batch) call(trap uintptr, fd int, bufs [][]byte) (int, syscall.Errno) {
	n := min(len(bufs), len(b.hdrs))
	if n == 0 {
		return 0, 0
	}
	for i, buf := range bufs[:n] {
		b.iovs[i].Base = unsafe.SliceData(buf)
		b.iovs[i].SetLen(len(buf))
		b.hdrs[i].n = 0
	}
	for {
		r, _, errno := unix.Syscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&b.hdrs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(r), 0
	}
}
