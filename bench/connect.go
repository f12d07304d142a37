package main

import (
	"fmt"
	"time"
)

func connectTable() table {
	t := table{
		name: "connect", title: "Connections per second", base: std,
		note:    "Connect and close over loopback; the server closes what it accepts. " + ofProcessor,
		figures: busyFigures("thousand connections/s"),
	}
	for _, n := range []int{1, 16, 64} {
		t.cases = append(t.cases, testCase{name: fmt.Sprintf("%d at a time", n), rounds: 25, warm: true, prepare: func(l *lab) (ways []way) {
			for _, stack := range []string{tcp, std, ours} {
				ln, address := loopback.listen(l, stack)
				go func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						c.Close()
					}
				}()
				dial := loopback.dialer(stack)
				ways = append(ways, way{stack, func(l *lab) []float64 {
					return busy(l, n, span(60*time.Millisecond), func() error {
						c, err := dial(l, "tcp", address)
						if err == nil {
							c.Close()
						}
						return err
					})
				}})
			}
			return ways
		}})
	}
	return t
}
