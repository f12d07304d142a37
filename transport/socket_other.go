//go:build !linux

package transport

import (
	"errors"
	"net"
	"syscall"
)

// A congestion is a congestion control that was set on a socket; here, never.
type congestion struct {
	set       string
	automatic bool
}

func useMultipath(syscall.RawConn, string) (*congestion, error) { return nil, errors.ErrUnsupported }
func (*congestion) apply(syscall.RawConn) bool                  { return false }
func (*congestion) restore(net.Conn)                            {}
func readCongestion(syscall.RawConn) string                     { return "" }
func isMultipathSocket(syscall.RawConn) bool                    { return false }
func perConnection(errno syscall.Errno) bool                    { return errno == syscall.ECONNABORTED }

func closeOnExec(int) {}
