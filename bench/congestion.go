package main

import (
	"fmt"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// congestionTable is what the module spares its user, whose host may have any
// congestion control.
func congestionTable() table {
	t := table{
		name: "congestion", title: "With the congestion control of the host", base: std, hostCongestion: true,
		note: fmt.Sprintf("Here TCP and package net use what the host has, %s. This module leaves that to TCP and uses %s for Multipath "+
			"TCP if the host has BBR, which takes the rate of the application for that of the path. One gRPC stream, with the "+
			"flow-control windows of this module.", hostCongestion, fair),
		figures: []figure{{"Mbit/s", false}},
	}
	stacks := []string{tcp, std, ours}
	t.cases = append(t.cases, testCase{name: "loopback", rounds: 21, warm: true, prepare: func(*lab) (ways []way) {
		for _, stack := range stacks {
			ways = append(ways, way{stack, func(l *lab) []float64 {
				p := connect(l, loopback, stack, sameWindows, service{})
				return []float64{p.stream(l, span(50*time.Millisecond), span(150*time.Millisecond))}
			}})
		}
		return ways
	}})
	for _, rate := range []mptcptest.Rate{0, mptcptest.Gbit} {
		t.cases = append(t.cases, testCase{name: fmt.Sprintf("one link between two hosts, %v", rate), rounds: 5, prepare: func(*lab) (ways []way) {
			for _, stack := range stacks {
				ways = append(ways, way{stack, func(l *lab) []float64 {
					lab, client, server := newHosts(l, hostCongestion)
					link := lab.Link(client, server, mptcptest.LinkConfig{Kernel: true, Rate: rate})
					p := connect(l, network{client, server, link.Addr(server)}, stack, sameWindows, service{})
					return []float64{p.stream(l, span(500*time.Millisecond), span(time.Second))}
				}})
			}
			return ways
		}})
	}
	return t
}
