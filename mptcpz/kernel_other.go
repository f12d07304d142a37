//go:build !linux

package mptcpz

import "runtime"

// kernel names the running system.
func kernel() string { return runtime.GOOS }
