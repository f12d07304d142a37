package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// rate is the figure that has to hold.
const rate = "thousand RPCs/s"

func unaryTable() table {
	t := table{
		name: "unary", title: "gRPC, unary", base: std,
		note: "64 bytes there and back over loopback, client and server in one process, on a new connection in each turn. All have the " +
			"flow-control windows of this module.",
		figures: []figure{{rate, false}, {"µs, median", true}, {"µs, 99th percentile", true}},
	}
	for _, n := range []int{1, 16, 64} {
		t.cases = append(t.cases, testCase{
			name: fmt.Sprintf("%d in flight", n), rounds: 301, warm: true,
			prepare: pairs(func(l *lab, p *pair) []float64 {
				request := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 64)}}
				call := func() error {
					_, err := p.client.UnaryCall(l, request)
					return err
				}
				busy(l, n, span(8*time.Millisecond), call)
				return busy(l, n, span(16*time.Millisecond), call)
			}),
		})
	}
	return t
}

// busy has f called over and over by so many goroutines, and returns how many
// thousand calls a second there were, and the median and the 99th percentile of
// how many microseconds they took.
func busy(l *lab, goroutines int, d time.Duration, f func() error) []float64 {
	took, errs := make([][]float64, goroutines), make([]error, goroutines)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range goroutines {
		wg.Go(func() {
			begin := time.Now()
			for once := true; once || begin.Sub(start) < d && errs[i] == nil; once = false {
				errs[i] = f()
				now := time.Now()
				took[i] = append(took[i], float64(now.Sub(begin).Nanoseconds())/1e3)
				begin = now
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	for _, err := range errs {
		l.check(err)
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return []float64{float64(len(all)) / elapsed.Seconds() / 1e3, quantile(all, 0.5), quantile(all, 0.99)}
}
