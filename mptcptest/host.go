package mptcptest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/multipath-go/mptcp"
)

// Host is a machine in a [Network]: a network namespace with interfaces,
// addresses, routes, sysctls and sockets of its own.
type Host struct {
	net    *Network
	name   string
	ns     *namespace
	router bool
	ends   []*end
}

// Name is the name that the host was made with.
func (h *Host) Name() string { return h.name }

// String is [Host.Name].
func (h *Host) String() string { return h.name }

func (h *Host) label() string {
	if h.router {
		return "(" + h.name + ")"
	}
	return "[" + h.name + "]"
}

// Do calls f in the host: on a thread that is in the host's network namespace
// until f returns. Sockets that f makes stay in the host, and processes that it
// starts begin there. It is for what a [Host.Dialer] and a [Host.ListenConfig]
// cannot do, such as reading /proc/thread-self/net. Goroutines started by f are
// not in the host.
//
// It runs on the calling goroutine, so f may end the test. Calls nest.
func (h *Host) Do(f func()) {
	if err := h.ns.do(f); err != nil {
		panic(fmt.Errorf("mptcptest: host %s: %w", h.name, err))
	}
}

// ControlFunc is the type of [net.Dialer.Control] and [net.ListenConfig.Control].
type ControlFunc = func(network, address string, c syscall.RawConn) error

// Control returns a function for the Control field of a [net.Dialer] or
// [net.ListenConfig], which puts the socket into the host and then calls next,
// if it is not nil. The protocol of the socket stays: if another Control
// function has made it a Multipath TCP socket before, it is one in the host.
//
// If the host refuses to make such a socket, the error matches what the system
// call would have returned in a program on that host.
func (h *Host) Control(next ControlFunc) ControlFunc {
	return func(network, address string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "unix") {
			if err := h.ns.adopt(c); err != nil {
				return err
			}
		}
		if next == nil {
			return nil
		}
		return next(network, address, c)
	}
}

// Dialer returns a new Dialer whose connections begin in the host. Its other
// fields are free to set. Names are not resolved: there is no name server.
func (h *Host) Dialer() *net.Dialer {
	h.net.t.Helper()
	h.net.inUse()
	return &net.Dialer{Control: h.Control(nil)}
}

// ListenConfig returns a new ListenConfig whose listeners are in the host.
func (h *Host) ListenConfig() *net.ListenConfig {
	h.net.t.Helper()
	h.net.inUse()
	return &net.ListenConfig{Control: h.Control(nil)}
}

// DialContext connects from the host, with plain TCP: it is the method of a
// [Host.Dialer].
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.Dialer().DialContext(ctx, network, address)
}

// Listen listens in the host as [net.Listen] does, which accepts Multipath TCP
// where the host has it. The listener is closed when the test ends, which
// fails if there is none. For the error, use [Host.ListenConfig].
func (h *Host) Listen(network, address string) net.Listener {
	h.net.t.Helper()
	l, err := h.ListenConfig().Listen(context.Background(), network, address)
	if err != nil {
		h.net.t.Fatalf("mptcptest: host %s: %v", h.name, err)
	}
	h.net.t.Cleanup(func() { l.Close() })
	return l
}

// Counters reads the host's Multipath TCP counters.
func (h *Host) Counters() mptcp.Counters {
	h.net.t.Helper()
	var c mptcp.Counters
	var err error
	h.Do(func() { c, err = mptcp.ReadCounters() })
	if err != nil {
		h.net.t.Fatalf("mptcptest: host %s: %v", h.name, err)
	}
	return c
}
