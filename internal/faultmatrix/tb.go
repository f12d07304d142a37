package faultmatrix

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// tb is the test that a network of the laboratory belongs to. It lives as long
// as one cell.
type tb struct {
	mu       sync.Mutex
	log      []string
	errors   []string
	cleanups []func()
}

func (t *tb) Helper() {}

func (t *tb) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = append(t.log, fmt.Sprintf(format, args...))
}

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

// run calls f and cleans up after it, on a goroutine of its own, which f may
// end by Fatalf. It returns what was logged and what went wrong.
func (t *tb) run(f func()) (log, errors []string) {
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
	return slices.Clone(t.log), slices.Clone(t.errors)
}
