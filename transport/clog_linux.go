package transport

import "github.com/multipath-go/mptcp/internal/sockopt"

// unclog lets a connection go on that is clogged, with a buffer twice as large
// at least.
func unclog(fd int) {
	if size, yes := clogged(fd); yes {
		enlarge(fd, size)
	}
}

// clogged reports whether the receive buffer is full of data that cannot be read
// yet, and how large the buffer is. What is missing in front of it may have been
// sent again, by another subflow, and waits there for room that nobody will ever
// make (mptcp_data_ready in net/mptcp/protocol.c). It happens when a path dies
// under a program that sends on in small messages, whose packets take more room
// than the window counts.
func clogged(fd int) (size uint32, yes bool) {
	m, errno := sockopt.Mem(fd)
	if errno != 0 {
		return 0, false
	}
	return m.ReceiveTo, m.Received > m.ReceiveTo && nothingToRead(fd)
}
