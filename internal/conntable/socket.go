package conntable

import (
	"net"
	"syscall"
)

// socket is as much of a connection as a function needs that asks its socket.
type socket struct {
	net.Conn
	raw syscall.RawConn
}

func (s socket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// Socket returns something to ask the connection's socket with. It does not
// hold the connection, and can do nothing else: its other methods panic.
func (e *Entry) Socket() net.Conn { return socket{raw: e.Raw} }
