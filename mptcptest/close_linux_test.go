package mptcptest_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

// recorder is a test that a network can be taken down in.
type recorder struct {
	testing.TB
	log     strings.Builder
	cleanup []func()
}

func (r *recorder) Logf(format string, args ...any) { fmt.Fprintf(&r.log, format+"\n", args...) }
func (r *recorder) Cleanup(f func())                { r.cleanup = append(r.cleanup, f) }

func (r *recorder) end() {
	for len(r.cleanup) > 0 {
		f := r.cleanup[len(r.cleanup)-1]
		r.cleanup = r.cleanup[:len(r.cleanup)-1]
		f()
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestCloseLeavesNothing(t *testing.T) {
	build := func() string {
		r := &recorder{TB: t}
		lab := mptcptest.New(r)
		phone, server := lab.Host("phone"), lab.Host("server")
		wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
		lab.Link(phone, server, mptcptest.LinkConfig{Kernel: true})
		phone.AddEndpoint(wifi.Addr(phone), mptcptest.Subflow)
		server.Listen("tcp", ":0")
		wifi.Inject(mptcptest.DropAll())
		lab.Log("done")
		r.end()
		lab.Log("too late")
		return r.log.String()
	}
	log := build() // package net opens its poller, for ever
	for _, want := range []string{"[phone] 10.1.0.1 fd00:1::1 --- wifi --- ", "wifi: drop everything", "s  done", "s  end", "packets"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in the timeline:\n%s", want, log)
		}
	}
	if strings.Contains(log, "too late") {
		t.Error("logged after the end")
	}
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range 5 {
		build()
	}
	if !eventually(func() bool { return openFiles(t) <= files && runtime.NumGoroutine() <= goroutines }) {
		t.Errorf("before: %d files, %d goroutines; after: %d, %d", files, goroutines, openFiles(t), runtime.NumGoroutine())
	}
}
