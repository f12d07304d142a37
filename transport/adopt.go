package transport

import (
	"errors"
	"fmt"
	"net"

	"github.com/multipath-go/mptcp"
)

// Adopt makes a [Listener] of one that was made elsewhere: handed over by
// systemd (see [Inherited]; SocketProtocol=mptcp in the unit makes it a Multipath
// TCP one) or by another process, or opened by another package. The listener's
// Status says what the socket is, whatever it was meant to be; why one does not
// accept Multipath TCP, only whoever has made it knows, so there is no reason.
// In Mode Require that is an error, which matches [ErrFallback]. Mode Off has no
// meaning here, and neither have NetListenConfig and CongestionControl, which
// are for sockets that are yet to be made.
//
// Inner must be a [*net.TCPListener], such as [net.FileListener] returns, or
// the error matches [mptcp.ErrNotTCP]. It belongs to the Listener from then on.
func (lc *ListenConfig) Adopt(inner net.Listener) (*Listener, error) {
	ln, ok := inner.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("transport: adopting a %T: %w", inner, mptcp.ErrNotTCP)
	}
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	l := &Listener{ln: ln, care: lc.care()}
	l.status = mptcp.Status{State: mptcp.TCP}
	if isMultipathSocket(raw) {
		l.status.State = mptcp.Multipath
	} else if lc.Mode == Require {
		return nil, &net.OpError{
			Op: "listen", Net: ln.Addr().Network(), Addr: ln.Addr(),
			Err: &fallbackError{err: errors.New("the listener that was handed over accepts TCP alone")},
		}
	}
	return l, nil
}
