package mptcptest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/mptcptest"
	"golang.org/x/sys/unix"
)

// asMPTCP is a Control function that makes any socket one of Multipath TCP, and
// then calls next: what a dialer does that is stacked on that of a host.
func asMPTCP(next mptcptest.ControlFunc) mptcptest.ControlFunc {
	return func(network, address string, c syscall.RawConn) error {
		_, err := sockopt.Control(c, func(fd int) (struct{}, error) {
			return struct{}{}, sockopt.Replace(fd, unix.IPPROTO_MPTCP, unix.Socket)
		})
		if err != nil {
			return err
		}
		return next(network, address, c)
	}
}

func TestControlKeepsProtocol(t *testing.T) {
	forFamilies(t, func(t *testing.T, v6 bool) {
		p := newPair(t, v6)
		called := false
		d := net.Dialer{Control: asMPTCP(p.client.Control(func(string, string, syscall.RawConn) error {
			called = true
			return nil
		}))}
		c, err := d.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		exchange(t, c, "hello")
		if got := statusOf(t, c); got != multipath || !called {
			t.Errorf("client %v, next called: %v", got, called)
		}

		p.client.Sysctl("net.mptcp.enabled", 0)
		_, err = d.Dial("tcp", p.address)
		var call *os.SyscallError
		if !errors.As(err, &call) || call.Syscall != "socket" || call.Err != unix.ENOPROTOOPT {
			t.Errorf("without MPTCP in the host: %v", err)
		}
	})
}

func TestDropMPTCP(t *testing.T) {
	p := newPair(t, false)
	p.link.Inject(mptcptest.DropMPTCP())
	c := dial(t, p.client, p.address)
	if got := statusOf(t, c); got != multipath {
		t.Errorf("client %v", got)
	}
	c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	c.Write([]byte("hello"))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	tcp, err := p.client.DialContext(context.Background(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	exchange(t, tcp, "hello")
}

func TestUDP(t *testing.T) {
	p := newPair(t, false)
	l, err := p.server.ListenConfig().ListenPacket(context.Background(), "udp", net.JoinHostPort(p.link.Addr(p.server).String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := p.client.DialContext(context.Background(), "udp", l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.link.NAT(p.client)
	c.Write([]byte("hello"))
	l.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 16)
	n, from, err := l.ReadFrom(b)
	if err != nil || string(b[:n]) != "hello" {
		t.Fatalf("received %q, %v", b[:n], err)
	}
	l.WriteTo(b[:n], from)
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if n, err = c.Read(b); err != nil || string(b[:n]) != "hello" {
		t.Errorf("received %q, %v", b[:n], err)
	}
}
