//go:build !linux

package httptransport

import "syscall"

// Without Multipath TCP nobody has to ask.
func peerFinished(syscall.RawConn) bool { return false }
