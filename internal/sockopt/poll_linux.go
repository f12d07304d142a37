package sockopt

import "golang.org/x/sys/unix"

// Poll returns which of the events are there now. Unlike other system calls,
// poll(2) is not begun again after the signals by which the Go scheduler
// interrupts a thread, even if it need not wait.
func Poll(fd int, events int16) (int16, error) {
	for {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		if _, err := unix.Poll(p, 0); err != unix.EINTR {
			return p[0].Revents & events, err
		}
	}
}
