package mptcptest_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/mptcptest"
	"golang.org/x/sys/unix"
)

// status is what the kernel says about a connection.
type status struct{ proto, mptcp int }

var (
	multipath = status{unix.IPPROTO_MPTCP, 1}
	fallback  = status{unix.IPPROTO_MPTCP, 0}
	plainTCP  = status{unix.IPPROTO_TCP, 0}
)

// statusOf asks the kernel itself: TCP_IS_MPTCP, and before Linux 6.10, which
// does not have it, whether the connection has a struct mptcp_info.
func statusOf(t *testing.T, c net.Conn) (s status) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		s.proto, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err == nil {
			s.mptcp, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, sockopt.TCPIsMPTCP)
		}
		if err == unix.EOPNOTSUPP || err == unix.ENOPROTOOPT {
			var info [1]byte
			_, errno := sockopt.Get(int(fd), sockopt.SolMPTCP, sockopt.MPTCPInfo, info[:])
			switch err = nil; errno {
			case 0:
				s.mptcp = 1
			case unix.EOPNOTSUPP, unix.ENOPROTOOPT:
			default:
				err = errno
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mptcpDialer is package net's own, in the host.
func mptcpDialer(h *mptcptest.Host) *net.Dialer {
	d := h.Dialer()
	d.SetMultipathTCP(true)
	d.Timeout = 10 * time.Second
	return d
}

// echo answers on every connection what it receives.
func echo(l net.Listener, accepted chan<- net.Conn) {
	for {
		c, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
		go func() { io.Copy(c, c); c.Close() }()
	}
}

func exchange(t *testing.T, c net.Conn, msg string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, msg); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(msg))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	if string(b) != msg {
		t.Fatalf("sent %q, received %q", msg, b)
	}
}

func dial(t *testing.T, h *mptcptest.Host, address string) net.Conn {
	t.Helper()
	c, err := mptcpDialer(h).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPlain(t *testing.T) {
	for _, kernel := range []bool{false, true} {
		for _, v6 := range []bool{false, true} {
			lab := mptcptest.New(t)
			client, server := lab.Host("client"), lab.Host("server")
			link := lab.Link(client, server, mptcptest.LinkConfig{Kernel: kernel})
			addr := link.Addr(server)
			if v6 {
				addr = link.Addr6(server)
			}
			l := server.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
			accepted := make(chan net.Conn, 1)
			go echo(l, accepted)
			start := time.Now()
			c := dial(t, client, l.Addr().String())
			t.Log("dial", time.Since(start))
			exchange(t, c, "hello")
			s := <-accepted
			if got := statusOf(t, c); got != multipath {
				t.Errorf("client %v", got)
			}
			if got := statusOf(t, s); got != multipath {
				t.Errorf("server %v", got)
			}
			if n := client.Counters()["MPCapableSYNTX"]; n != 1 {
				t.Errorf("MPCapableSYNTX = %d", n)
			}
		}
	}
}
