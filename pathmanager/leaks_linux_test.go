package pathmanager_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// checkLeaks fails the test if it leaves goroutines or file descriptors behind.
// Call it before anything that registers a cleanup.
func checkLeaks(t testing.TB) {
	t.Helper()
	before, fds := goroutines(), openFiles(t)
	t.Cleanup(func() {
		var left []string
		var n int
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			left = left[:0]
			for id, stack := range goroutines() {
				if before[id] == "" {
					left = append(left, stack)
				}
			}
			if n = openFiles(t); len(left) == 0 && n <= fds {
				return
			}
		}
		t.Errorf("left behind: %d file descriptors, %d goroutines\n%s", n-fds, len(left), strings.Join(left, "\n\n"))
	})
}

// goroutines returns the stacks of all goroutines by the line that names them.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	all := make(map[string]string)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		if strings.Contains(stack, "runtime.runCleanups") || strings.Contains(stack, "runtime.runFinalizers") {
			continue // started when the first cleanup is due, and there to stay
		}
		all[id] = stack
	}
	return all
}

func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}
