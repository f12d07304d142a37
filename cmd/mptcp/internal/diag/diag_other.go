//go:build !linux

package diag

import (
	"errors"
	"fmt"
	"runtime"
)

var errOther = fmt.Errorf("inet_diag needs Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)

// Connections lists the Multipath TCP connections, on Linux.
func Connections() ([]Connection, error) { return nil, errOther }

// Subflows lists the TCP connections that belong to them, on Linux.
func Subflows() ([]Subflow, error) { return nil, errOther }
