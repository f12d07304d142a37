package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// sum is what two paths carry.
const sum = "TCP, sum of the paths"

// The cases that criteria are about.
const (
	equalPaths   = "25 + 25 Mbit/s, 20 ms"
	unequalRate  = "40 + 10 Mbit/s, 20 ms"
	unequalDelay = "25 + 25 Mbit/s, 10 and 60 ms"
)

// A path is a link between a client and a server.
type path struct {
	rate  mptcptest.Rate
	delay time.Duration // there and back
}

func aggregationTable() table {
	t := table{
		name: "aggregation", title: "One gRPC stream over two paths", base: sum,
		note: "Messages of 64 KiB to the client, for four seconds after the first two and a half. The base is what one stream over TCP " +
			"gets on each path where there is no other, added up, with the flow-control windows of this module. This module has its " +
			"default options, and package net has the windows that gRPC chooses. A segment of Multipath TCP carries 1420 bytes where one of " +
			"TCP carries 1448, so 0.98 is what can be reached for long; what had come out of order before, and is handed over after the " +
			"first two and a half seconds, counts as well. Up to two rows are measured at the same time: the paths are slower than this machine.",
		figures: []figure{{"Mbit/s", false}},
		abreast: 2,
	}
	for _, c := range []struct {
		name  string
		paths []path
	}{
		{equalPaths, []path{{25, 20 * time.Millisecond}, {25, 20 * time.Millisecond}}},
		{unequalRate, []path{{40, 20 * time.Millisecond}, {10, 20 * time.Millisecond}}},
		{unequalDelay, []path{{25, 10 * time.Millisecond}, {25, 60 * time.Millisecond}}},
	} {
		t.cases = append(t.cases, testCase{name: c.name, rounds: 5, limit: 2 * time.Minute, prepare: func(*lab) []way {
			return []way{
				{sum, func(l *lab) []float64 {
					rates := make([]float64, len(c.paths))
					var wg sync.WaitGroup
					for i, p := range c.paths {
						wg.Go(func() { rates[i] = carried(l, tcp, sameWindows, p) })
					}
					wg.Wait()
					return []float64{rates[0] + rates[1]}
				}},
				{std, func(l *lab) []float64 { return []float64{carried(l, std, grpcWindows, c.paths...)} }},
				{ours, func(l *lab) []float64 { return []float64{carried(l, ours, sameWindows, c.paths...)} }},
			}
		}})
	}
	return t
}

// carried returns the rate of a stream over all of the paths, in a network of
// its own: kernels remember how a path was. It tries again if this machine was
// too slow for the paths, which says nothing about the stack.
func carried(l *lab, stack string, w windows, paths ...path) (rate float64) {
	for range 3 {
		var overruns uint64
		err := within(turnLimit, func(l *lab) {
			built, client, server := newHosts(l, fair)
			var links []*mptcptest.Link
			for _, p := range paths {
				links = append(links, built.Link(client, server, mptcptest.LinkConfig{Rate: p.rate * mptcptest.Mbit, Delay: p.delay / 2}))
			}
			for _, more := range links[1:] {
				client.AddEndpoint(more.Addr(client), mptcptest.Subflow)
			}
			p := connect(l, network{client, server, links[0].Addr(server)}, stack, w, service{})
			rate = p.stream(l, span(2500*time.Millisecond), span(4*time.Second))
			for _, link := range links {
				overruns += link.From(server).Stats().Overruns + link.From(client).Stats().Overruns
			}
		})
		l.check(err)
		if overruns == 0 {
			return rate
		}
		fmt.Fprintf(os.Stderr, "      the machine was too slow and lost %d packets: once more\n", overruns)
	}
	l.Fatalf("the machine was too slow for the paths, three times")
	return 0
}
