package transport

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// An InheritedListener is one of [Inherited].
type InheritedListener struct {
	net.Listener // of package net: for [ListenConfig.Adopt]

	// Name is what the unit calls it (FileDescriptorName=, by default the name
	// of the socket unit), or empty if the process was not told.
	Name string
}

// Inherited returns the listeners that systemd has passed to this process, or
// whoever else speaks its protocol (sd_listen_fds(3)), in their order. There are
// none if it was started in another way. The environment variables that say so
// are removed, so that no other process takes them for its own and a second call
// returns none; the sockets are closed on exec.
//
//	inherited, err := transport.Inherited()
//	for _, in := range inherited {
//		listener, err := lc.Adopt(in.Listener)
//
// The error names the first file descriptor that is not a listener, such as a
// datagram socket; all of them are closed then.
func Inherited() ([]InheritedListener, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // meant for another process
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	const first = 3 // SD_LISTEN_FDS_START
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("transport: LISTEN_FDS: %w", err)
	}
	files := make([]*os.File, n)
	for i := range files {
		closeOnExec(first + i)
		files[i] = os.NewFile(uintptr(first+i), "LISTEN_FD_"+strconv.Itoa(first+i))
		defer files[i].Close() // FileListener duplicates it
	}
	var all []InheritedListener
	for i, f := range files {
		ln, err := net.FileListener(f)
		if err != nil {
			for _, in := range all {
				in.Close()
			}
			return nil, fmt.Errorf("transport: inherited file descriptor %d: %w", first+i, err)
		}
		in := InheritedListener{Listener: ln}
		if list := strings.Split(names, ":"); i < len(list) {
			in.Name = list[i]
		}
		all = append(all, in)
	}
	return all, nil
}
