package mptcptest

import (
	"runtime"
	"sync"
)

var procs sync.Mutex

// addProcs changes how many goroutines run at once. A wire that a packet or a
// timer has woken must not queue behind the goroutines of the test for Go's
// processors: with two busy goroutines on two of them, a round trip of 20 ms took
// 97 (median). With more, it competes only for the processors of the machine,
// where Linux lets it run soon: then it took 20.6.
func addProcs(n int) {
	procs.Lock()
	defer procs.Unlock()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
}
