package handover

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// tb is the test that one measurement belongs to: it ends with it.
type tb struct {
	testing.TB
	cleanups []func()
	failed   string
}

func (t *tb) Helper()             {}
func (t *tb) Logf(string, ...any) {}
func (t *tb) Cleanup(f func())    { t.cleanups = append(t.cleanups, f) }

func (t *tb) Errorf(format string, args ...any) { t.failed = fmt.Sprintf(format, args...) }

func (t *tb) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// within calls f on a goroutine of its own, which f may end, and cleans up.
func within(outer testing.TB, f func(t *tb)) (failed string) {
	t := &tb{TB: outer}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(t.cleanups) {
				f()
			}
		}()
		f(t)
	}()
	<-done
	return t.failed
}

// alone measures with a network of its own.
func alone(outer testing.TB, c setup) (r result) {
	if failed := within(outer, func(t *tb) { r = measure(t, c) }); r.err == nil && failed != "" {
		r.err = errors.New(failed)
	}
	return r
}

// several measures each setup n times, some at a time, in random order.
func several(t testing.TB, setups []setup, n int) [][]result {
	var todo []int
	for i := range setups {
		for range n {
			todo = append(todo, i)
		}
	}
	rand.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	all := make([][]result, len(setups))
	next := make(chan int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range *workers {
		wg.Go(func() {
			for i := range next {
				r := alone(t, setups[i])
				mu.Lock()
				all[i] = append(all[i], r)
				mu.Unlock()
			}
		})
	}
	for _, i := range todo {
		next <- i
	}
	close(next)
	wg.Wait()
	return all
}
