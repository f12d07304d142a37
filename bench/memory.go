package main

import (
	"math"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func memoryTable() table {
	t := table{
		name: "memory", title: "Memory of idle connections", base: tcp,
		note: "Both ends in one process, after the first bytes. Go's memory is heap and stacks, with this module's table entry and dial " +
			"record. The kernel's is what its slab caches have grown by, of the whole machine, so that it means something only if " +
			"nothing else runs.",
		figures: []figure{{"KiB of Go", true}, {"KiB of the kernel", true}},
	}
	stacks := []string{tcp, std, ours}
	t.cases = append(t.cases, testCase{name: "connection", rounds: 5, warm: true, prepare: func(*lab) (ways []way) {
		for _, stack := range stacks {
			ways = append(ways, way{stack, func(l *lab) []float64 {
				n := many(1000)
				ln, address := loopback.listen(l, stack)
				dial := loopback.dialer(stack)
				conns := make([]net.Conn, 0, 2*n)
				l.Cleanup(func() {
					for _, c := range conns {
						c.Close()
					}
				})
				return grown(n, func() {
					for range n {
						c, err := dial(l, "tcp", address)
						l.check(err)
						conns = append(conns, c)
						s, err := ln.Accept()
						l.check(err)
						conns = append(conns, s)
						exchange(l, c, s)
					}
				})
			}})
		}
		return ways
	}})
	t.cases = append(t.cases, testCase{name: "gRPC client and its connection at the server", rounds: 5, warm: true, prepare: func(*lab) (ways []way) {
		for _, stack := range stacks {
			ways = append(ways, way{stack, func(l *lab) []float64 {
				n := many(200)
				address := serve(l, loopback, stack, sameWindows, service{})
				return grown(n, func() {
					for range n {
						dial(l, loopback, stack, sameWindows, address)
					}
				})
			}})
		}
		return ways
	}})
	return t
}

// many is n, or a few of them.
func many(n int) int {
	if brief {
		return n / 20
	}
	return n
}

// exchange has two ends say something to each other.
func exchange(l *lab, a, b net.Conn) {
	for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
		_, err := c[0].Write([]byte{1})
		l.check(err)
		_, err = c[1].Read(make([]byte, 1))
		l.check(err)
	}
}

// grown returns by how many KiB Go's memory and the kernel's grow while f makes
// n of something, for each.
func grown(n int, f func()) []float64 {
	before, kernel := memory()
	f()
	after, kernelAfter := memory()
	return []float64{(after - before) / float64(n), (kernelAfter - kernel) / float64(n)}
}

// memory returns the memory that Go and the kernel use, in KiB.
func memory() (program, kernel float64) {
	var m runtime.MemStats
	least, same := uint64(math.MaxUint64), 0
	for same < 4 { // what others have closed is found by and by
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
		runtime.ReadMemStats(&m)
		if same++; m.HeapAlloc < least {
			least, same = m.HeapAlloc, 0
		}
	}
	slab, _, _ := strings.Cut(field("/proc/meminfo", "Slab"), " ")
	kernel, _ = strconv.ParseFloat(slab, 64)
	return float64(least+m.StackInuse) / 1024, kernel
}
