package mptcptest_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv("MPTCPTEST_TEST_OPTIONAL") != "":
		mptcptest.MainOptional(m) // see TestNoNamespaces
	case os.Getenv("MPTCPTEST_TEST_POOR") != "" && os.Getenv("MPTCPTEST_INSIDE") != "":
		loseCapabilities() // see TestNoPrivilege
	}
	mptcptest.Main(m)
}

// loseCapabilities takes from this goroutine what makes its thread root of a
// laboratory.
func loseCapabilities() {
	runtime.LockOSThread()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}
