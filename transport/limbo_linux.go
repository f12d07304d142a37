package transport

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/pathmanager"
)

// hasEndpoint reports whether the path manager has an endpoint from which it may
// open a subflow to the peer of e. One of the address that e began with is only
// counted if e has had other paths: it may have gone over to one of those, and
// come back. It costs some 150 microseconds and needs no privilege.
func hasEndpoint(e *conntable.Entry, joined bool) bool {
	c, err := managerOf(e)
	if err != nil {
		return true // there are some, and nobody says which
	}
	defer c.Close()
	endpoints, err := c.Endpoints()
	if err != nil {
		return true
	}
	local, remote := plainAddr(e.Local), plainAddr(e.Remote)
	return slices.ContainsFunc(endpoints, func(p pathmanager.Endpoint) bool {
		return p.Flags&pathmanager.Subflow != 0 && (joined || p.Addr != local) && p.Addr.Is4() == remote.Is4()
	})
}

func plainAddr(a *net.TCPAddr) netip.Addr { return a.AddrPort().Addr().Unmap().WithZone("") }

// managerOf connects to the path manager of the network namespace that the
// socket of e is in. It takes privilege to ask which that is, and more to have
// a socket of another one than that of the process.
func managerOf(e *conntable.Entry) (*pathmanager.Client, error) {
	ns, err := sockopt.Control(e.Raw, func(fd int) (int, error) { return unix.IoctlRetInt(fd, unix.SIOCGSKNS) })
	if err != nil {
		return pathmanager.Dial()
	}
	f := os.NewFile(uintptr(ns), "network namespace of a socket")
	defer f.Close()
	if c, err := pathmanager.DialIn(f); err == nil {
		return c, nil
	}
	return pathmanager.Dial()
}

// userspacePathManager reports whether a daemon decides about subflows, so that
// the kernel's limits and endpoints say nothing.
func userspacePathManager() bool {
	for _, name := range []string{"path_manager", "pm_type"} {
		if b, err := os.ReadFile("/proc/sys/net/mptcp/" + name); err == nil {
			v := strings.TrimSpace(string(b))
			return v == "userspace" || v == "1"
		}
	}
	return false
}
