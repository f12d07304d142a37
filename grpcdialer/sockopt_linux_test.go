package grpcdialer_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

type option struct{ level, name int }

var (
	soKeepAlive = option{unix.SOL_SOCKET, unix.SO_KEEPALIVE}
	tcpKeepIdle = option{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}

	tcpUserTimeout = option{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}
)

func sockopt(t *testing.T, c net.Conn, o option) (value int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), o.level, o.name) }); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return value
}
