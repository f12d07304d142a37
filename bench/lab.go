package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// A lab is the test that a laboratory belongs to, where there is no test: it
// lives as long as one turn, or as one row of a table. Whatever is made in it
// is closed when it ends, and nothing in it lasts beyond its context.
type lab struct {
	context.Context
	mu       sync.Mutex
	errs     []error
	cleanups []func()
}

var _ mptcptest.TB = (*lab)(nil)

func (*lab) Helper()             {}
func (*lab) Logf(string, ...any) {}

func (l *lab) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

// Fatalf ends the turn and not the program: what was measured before stays.
func (l *lab) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	runtime.Goexit()
}

func (l *lab) Skipf(format string, args ...any) { l.Fatalf(format, args...) }

func (l *lab) Cleanup(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cleanups = append(l.cleanups, f)
}

// check ends the turn if there is an error.
func (l *lab) check(err error) {
	if err != nil {
		l.Fatalf("%w", err)
	}
}

// end closes what was made, newest first.
func (l *lab) end() error {
	for {
		l.mu.Lock()
		last := len(l.cleanups) - 1
		if last < 0 {
			defer l.mu.Unlock()
			return errors.Join(l.errs...)
		}
		f := l.cleanups[last]
		l.cleanups = l.cleanups[:last]
		l.mu.Unlock()
		f()
	}
}

// grace is how long a turn may take to notice that its time is up, and again
// to notice that everything that it uses has been closed.
const grace = 5 * time.Second

// within calls f with a new lab, which ends when f does, or when the time is
// up. So a stack that stands still costs one row and not the whole run.
func within(limit time.Duration, f func(*lab)) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("not done in %v", limit))
	defer cancel()
	l := &lab{Context: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(l)
	}()
	select {
	case <-done:
		return l.end()
	case <-time.After(limit + grace):
	}
	err := errors.Join(context.Cause(ctx), l.end())
	select {
	case <-done:
	case <-time.After(grace):
		err = fmt.Errorf("%w, and goes on after everything was closed", err)
	}
	return err
}

// sysctl reads a kernel parameter of the program's own namespace.
func sysctl(file string) string {
	b, err := os.ReadFile("/proc/sys/" + file)
	if err != nil {
		return "unknown"
	}
	return string(b[:max(0, len(b)-1)])
}
