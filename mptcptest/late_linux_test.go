package mptcptest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"golang.org/x/sys/unix"
)

// TestAfterTheEnd uses a network that has been taken down, as a goroutine may
// that has outlived its test. The numbers of the network's files are those of
// other files then, which must not be written to.
func TestAfterTheEnd(t *testing.T) {
	r := &recorder{TB: t}
	lab := mptcptest.New(r)
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Link(a, b, mptcptest.LinkConfig{})
	r.end()
	var events []int
	for range 64 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		events = append(events, fd)
	}

	link.SetRate(mptcptest.Mbit)
	link.From(b).SetShape(mptcptest.Shape{})
	link.Inject(mptcptest.DropAll())()
	if s := link.From(a).Stats(); s != (mptcptest.Stats{}) {
		t.Errorf("%+v", s)
	}
	if err := a.Command("true").Start(); err == nil || !strings.Contains(err.Error(), "use of closed file") {
		t.Errorf("command: %v", err)
	}
	for _, fd := range events {
		if _, err := unix.Read(fd, make([]byte, 8)); err != unix.EAGAIN {
			t.Errorf("file %d has been written to: %v", fd, err)
		}
	}
}

// TestShapeTogether changes two things of one link at a time.
func TestShapeTogether(t *testing.T) {
	lab := mptcptest.New(&recorder{TB: t})
	a, b := lab.Host("a"), lab.Host("b")
	link := lab.Link(a, b, mptcptest.LinkConfig{})
	var wg sync.WaitGroup
	for _, change := range []func(i int) bool{
		func(i int) bool {
			link.SetRate(mptcptest.Rate(i))
			return link.From(a).Shape().Rate == mptcptest.Rate(i)
		},
		func(i int) bool {
			link.SetDelay(time.Duration(i))
			return link.From(a).Shape().Delay == time.Duration(i)
		},
	} {
		wg.Go(func() {
			for i := range 2000 {
				if !change(i + 1) {
					t.Error("a change was lost")
					return
				}
			}
		})
	}
	wg.Wait()
}

// failing is a test in which Fatalf panics with what is wrong.
type failing struct{ *recorder }

func (failing) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func TestSmallMTU(t *testing.T) {
	f := failing{&recorder{TB: t}}
	defer f.end()
	lab := mptcptest.New(f)
	a, b := lab.Host("a"), lab.Host("b")
	defer func() {
		if got := recover(); got != "mptcptest: link link1: an MTU of 1279 is too small for IPv6, which needs 1280" {
			t.Error(got)
		}
	}()
	lab.Link(a, b, mptcptest.LinkConfig{MTU: 1279})
}
