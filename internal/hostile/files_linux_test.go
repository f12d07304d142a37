package hostile

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func isFull(err error) bool { return errors.Is(err, unix.EMFILE) }

// TestOutOfFiles: while the process can open no file, Accept fails at every
// server; when it can, those who have waited are served.
func TestOutOfFiles(t *testing.T) {
	if os.Getenv("HOSTILE_CHILD") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOutOfFiles$", "-test.v")
		cmd.Env = append(os.Environ(), "HOSTILE_CHILD=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	v := serve(t, nil, nil, netip.MustParseAddr("127.0.0.1"))
	v.serves()
	before := v.settled()

	// The clients have their descriptors before there are none, and connect by
	// system calls, which need no more.
	const clients = 10 // of each server
	var waiting []int
	ports := []netip.AddrPort{v.grpc, v.http, v.https}
	for range clients * len(ports) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, fd)
	}
	limit := unix.Rlimit{Cur: uint64(before.fds + len(waiting) + 50), Max: uint64(before.fds + len(waiting) + 50)}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var fill []int
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if isFull(err) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		fill = append(fill, fd)
	}
	for i, fd := range waiting {
		port := ports[i%len(ports)]
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(port.Port()), Addr: port.Addr().As4()}); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	for _, s := range v.listeners {
		eventually(t, "Accept fails at "+s.name, func() bool { return s.full.Load() > 0 })
	}
	for _, fd := range fill {
		unix.Close(fd)
	}
	v.serves()
	for _, s := range v.listeners {
		eventually(t, "those who waited are accepted at "+s.name, func() bool { return s.accepted.Load() >= clients })
		t.Logf("%s: Accept failed %d times, and took %d", s.name, s.full.Load(), s.accepted.Load())
	}
	for _, fd := range waiting {
		unix.Close(fd)
	}
	v.returns(before)
}
