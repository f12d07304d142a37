package main

import (
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// rate is the figure that has to hold.
const rate = "thousand RPCs/s"

func unaryTable() table {
	t := table{
		name: "unary", title: "gRPC, unary", base: std,
		note: "64 bytes there and back over loopback, client and server in one process, on a new connection in each turn. All have the " +
			"flow-control windows of this module, except in the last rows, where TCP and package net have those that gRPC estimates by " +
			"pings. The pings keep the goroutines of both ends awake, which is faster for one RPC at a time if both share a process and its " +
			"processors. With GOMAXPROCS=1, or with a process for each end, there is nothing to gain by that. " + ofProcessor,
		figures: busyFigures(rate),
	}
	for _, c := range []struct {
		name   string
		n      int
		w      windows
		rounds int
	}{
		{"1 in flight", 1, sameWindows, 601},
		{"16 in flight", 16, sameWindows, 601},
		{"64 in flight", 64, sameWindows, 601},
		{"1 in flight, gRPC's windows", 1, grpcWindows, 101},
	} {
		t.cases = append(t.cases, testCase{
			name: c.name, rounds: c.rounds, warm: true,
			prepare: pairs(c.w, func(l *lab, p *pair) []float64 {
				request := &testpb.SimpleRequest{Payload: &testpb.Payload{Body: make([]byte, 64)}}
				call := func() error {
					_, err := p.client.UnaryCall(l, request)
					return err
				}
				busy(l, c.n, span(8*time.Millisecond), call)
				return busy(l, c.n, span(16*time.Millisecond), call)
			}),
		})
	}
	return t
}

const ofProcessor = "Time of the processor is what this process used of it for each: both ends, and what the kernel did in their calls."

// busyFigures are what busy returns.
func busyFigures(rate string) []figure {
	return []figure{{rate, false}, {"µs, median", true}, {"µs, 99th percentile", true}, {"µs of the processor", true}}
}

// busy has f called over and over by so many goroutines, and returns how many
// thousand calls a second there were, the median and the 99th percentile of how
// many microseconds they took, and how many of a processor each cost.
func busy(l *lab, goroutines int, d time.Duration, f func() error) []float64 {
	took, errs := make([][]float64, goroutines), make([]error, goroutines)
	var wg sync.WaitGroup
	start, before := time.Now(), processorTime(l)
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
	elapsed, used := time.Since(start), processorTime(l)-before
	for _, err := range errs {
		l.check(err)
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	n := float64(len(all))
	return []float64{n / elapsed.Seconds() / 1e3, quantile(all, 0.5), quantile(all, 0.99), used.Seconds() * 1e6 / n}
}

// processorTime is what this process has had of the processors.
func processorTime(l *lab) time.Duration {
	var t unix.Timespec
	l.check(unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t))
	return time.Duration(t.Nano())
}
