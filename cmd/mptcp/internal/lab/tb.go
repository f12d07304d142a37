package lab

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// tb is to the networks of the laboratory what a test is.
type tb struct {
	mu       sync.Mutex
	errors   []string
	cleanups []func()
}

func (*tb) Helper()             {}
func (*tb) Logf(string, ...any) {}

func (t *tb) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *tb) Skipf(format string, args ...any) { t.Fatalf(format, args...) }

func (t *tb) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// run calls f on a goroutine of its own, which f may end by Fatalf, cleans up
// after it and returns what went wrong.
func (t *tb) run(f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(t.cleanups) {
				f()
			}
		}()
		f()
	}()
	<-done
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.errors) > 0 {
		return errors.New(strings.Join(t.errors, "; "))
	}
	return nil
}
