package watch

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/internal/recorded"
)

// TestOwner finds a socket of this process's, by what the kernel says of it.
func TestOwner(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	inode, ok := socket(target)
	if !ok || inode == 0 {
		t.Fatalf("%q is not taken for a socket", target)
	}
	var o owners
	if got, pid := o.of(inode), strconv.Itoa(os.Getpid()); !strings.HasSuffix(got, "["+pid+"]") {
		t.Errorf("the socket is of %q, this process is %s", got, pid)
	}
}

// FuzzSocket: only what the kernel writes for a socket is one.
func FuzzSocket(f *testing.F) {
	for _, seed := range []string{"socket:[20002]", "socket:[4294967296]", "socket:[1", "pipe:[1]", "/dev/null", "anon_inode:[eventpoll]", ""} {
		f.Add(seed)
	}
	for _, b := range recorded.Each(recorded.SocketLink) {
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, target string) {
		inode, ok := socket(target)
		if digits := strings.Trim(target, "socket:[]"); ok && strings.TrimLeft(digits, "0") != strings.TrimLeft(strconv.Itoa(int(inode)), "0") {
			t.Errorf("%q is socket %d", target, inode)
		}
	})
}
