package scene

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

// envSelf is set for a test program that is to serve.
const envSelf = "INTEROP_SELF"

type runner func() int

func (r runner) Run() int { return r() }

// Main is mptcptest.Main for a test program that is also a server: in a
// process that StartSelf has started it calls serve, which does not return.
// This is for servers that open their own sockets, as package net does.
func Main(m *testing.M, serve func() error) {
	if os.Getenv(envSelf) == "" {
		mptcptest.Main(m)
		return
	}
	mptcptest.Main(runner(func() int {
		fmt.Fprintln(os.Stderr, serve())
		return 1
	}))
}

// StartSelf starts this program as a server in a host, until the test ends.
func StartSelf(t testing.TB, h *mptcptest.Host) {
	t.Helper()
	var output bytes.Buffer
	cmd := h.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envSelf+"=1")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // and it was killed
		if t.Failed() {
			t.Logf("output of the server:\n%s", &output)
		}
	})
}
