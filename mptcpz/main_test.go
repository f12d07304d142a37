package mptcpz

import (
	"os"
	"runtime"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

func TestMain(m *testing.M) {
	if runtime.GOOS != "linux" {
		os.Exit(m.Run())
	}
	mptcptest.Main(m)
}
