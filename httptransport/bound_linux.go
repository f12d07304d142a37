package httptransport

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// peerFinished reports whether the other end will send nothing more, whether
// or not all that it did send has been read.
func peerFinished(c syscall.RawConn) bool {
	finished, err := sockopt.Control(c, func(fd int) (bool, error) {
		events, err := sockopt.Poll(fd, unix.POLLRDHUP)
		return events != 0, err
	})
	return finished && err == nil
}
