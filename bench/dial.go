package main

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// noAnswer is how long a dial is waited for.
const noAnswer = 5 * time.Second

func dialTable() table {
	t := table{
		name: "dial", title: "Dialing through a middlebox", base: tcp,
		note: "From the dial to the first answer: connect, write 64 bytes, read them back. The path has a round trip of 2 ms, and what a " +
			"middlebox does is done to segments that carry the option. \"Again\" is the second dial to the same destination. ∞ " +
			"means no answer within 5 s.",
		figures:  []figure{{"ms", true}},
		together: true,
	}
	syn := func(p *mptcptest.Packet) bool { return p.SYN() && !p.ACK() }
	for _, c := range []struct {
		name   string
		fault  func() mptcptest.Fault
		rounds int
		v6     bool
		again  bool
	}{
		{name: "nothing in the way", rounds: 31},
		{name: "nothing in the way, IPv6", rounds: 31, v6: true},
		{name: "stripped from the SYN", rounds: 15, fault: strip(mptcptest.OnSYN)},
		{name: "stripped from the SYN/ACK", rounds: 15, fault: strip(mptcptest.OnSYNACK)},
		{name: "stripped from the third ACK", rounds: 15, fault: strip(mptcptest.OnThirdACK)},
		{name: "stripped after the handshake", rounds: 15, fault: strip(mptcptest.OnLater)},
		{name: "SYN reset", rounds: 15, fault: mptcptest.ResetMPTCPSYN},
		{name: "SYN dropped", rounds: 3, fault: mptcptest.DropMPTCPSYN},
		{name: "SYN dropped, IPv6", rounds: 3, fault: mptcptest.DropMPTCPSYN, v6: true},
		{name: "SYN dropped, again", rounds: 3, fault: mptcptest.DropMPTCPSYN, again: true},
		{name: "SYN/ACK dropped", rounds: 3, fault: mptcptest.DropMPTCPSYNACK},
		{name: "the first SYN is lost", rounds: 5, fault: func() mptcptest.Fault { return mptcptest.DropNth(1, syn) }},
	} {
		t.cases = append(t.cases, testCase{name: c.name, rounds: c.rounds, prepare: func(*lab) (ways []way) {
			for _, stack := range []string{tcp, std, ours} {
				ways = append(ways, way{stack, func(l *lab) []float64 {
					// A new network each time: kernels remember.
					built, client, server := newHosts(l, fair)
					link := built.Link(client, server, mptcptest.LinkConfig{Delay: time.Millisecond})
					n := network{client, server, link.Addr(server)}
					if c.v6 {
						n.address = link.Addr6(server)
					}
					ln, address := n.listen(l, stack)
					go echo(ln)
					answer(l, n.dialer(tcp), address) // the hosts know each other
					if c.fault != nil {
						link.Inject(c.fault())
					}
					dial := n.dialer(stack)
					if c.again {
						answer(l, dial, address)
					}
					return []float64{answer(l, dial, address)}
				}})
			}
			return ways
		}})
	}
	return t
}

func strip(on mptcptest.Segments) func() mptcptest.Fault {
	return func() mptcptest.Fault { return mptcptest.StripMPTCP(on) }
}

// echo answers connections until the listener is closed.
func echo(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// answer returns how many milliseconds it takes to connect and be answered.
func answer(l *lab, dial func(context.Context, string, string) (net.Conn, error), address string) float64 {
	ctx, cancel := context.WithTimeout(l, noAnswer)
	defer cancel()
	start := time.Now()
	c, err := dial(ctx, "tcp", address)
	if late(err) || ctx.Err() != nil { // the poller may know it first
		return math.Inf(1)
	}
	l.check(err)
	defer c.Close()
	l.check(c.SetDeadline(start.Add(noAnswer)))
	b := make([]byte, 64)
	_, err = c.Write(b)
	l.check(err)
	if _, err = io.ReadFull(c, b); late(err) {
		return math.Inf(1)
	}
	l.check(err)
	return float64(time.Since(start).Microseconds()) / 1e3
}

// late reports whether err is that of a deadline.
func late(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
