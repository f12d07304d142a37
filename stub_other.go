//go:build !linux

package mptcp

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"

	"github.com/multipath-go/mptcp/internal/conntable"
)

var errOther = fmt.Errorf("mptcp: not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func probe() error                                  { return errOther }
func inspectEntry(*conntable.Entry) (Status, error) { return Status{State: TCP}, errOther }
func inspectConn(syscall.Conn) (Status, error)      { return Status{}, errOther }
func subflows(net.Conn) ([]Subflow, error)          { return nil, errOther }
func readCounters() (Counters, error)               { return nil, errOther }

// socketReason explains errOther, and its like from other packages.
func socketReason(err error) Reason {
	if errors.Is(err, errors.ErrUnsupported) {
		return ReasonHostTooOld
	}
	return ReasonUnknown
}
