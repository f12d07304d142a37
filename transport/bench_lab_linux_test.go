package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// dialOnce dials, closes, and returns how long the dial took.
func dialOnce(b *testing.B, dial func(network, address string) (net.Conn, error), address string) time.Duration {
	b.Helper()
	start := time.Now()
	c, err := dial("tcp", address)
	took := time.Since(start)
	if err != nil {
		b.Fatal(err) // it would not be a time
	}
	c.Close()
	return took
}

// BenchmarkDialFiltered dials through a router that drops SYNs with the option:
// the first dial of each, in milliseconds, once under a deadline of two seconds
// and once without, and then many, by turns.
func BenchmarkDialFiltered(b *testing.B) {
	const deadline = 2 * time.Second
	s := newScene(b, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
	s.link.Inject(mptcptest.DropMPTCPSYN())
	plain := s.client.Dialer()
	plain.SetMultipathTCP(false)
	ours := s.dialer()
	ours.NetDialer.Timeout = deadline
	first := dialOnce(b, ours.Dial, s.address)
	turns := newTurns("net-tcp", "ours-again")
	for b.Loop() {
		turns.run(func(i int) { dialOnce(b, []func(_, _ string) (net.Conn, error){plain.Dial, ours.Dial}[i], s.address) })
	}
	blackhole := s.client.Counters()["Blackhole"]

	other := newScene(b, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
	other.link.Inject(mptcptest.DropMPTCPSYN())
	std := other.client.Dialer()
	std.SetMultipathTCP(true)
	std.Timeout = deadline
	failed := 0.0
	if c, err := std.Dial("tcp", other.address); err != nil {
		b.Logf("package net, under a deadline of %v: %v", deadline, err)
		failed = 1
	} else {
		c.Close()
	}
	std.Timeout = 0
	stdFirst := dialOnce(b, std.Dial, other.address)

	turns.report(b, 0)
	b.ReportMetric(first.Seconds()*1e3, "ours-first-ms")
	b.ReportMetric(stdFirst.Seconds()*1e3, "net-mptcp-first-ms")
	b.ReportMetric(failed, "net-mptcp-errors-in-2s")
	b.ReportMetric(float64(blackhole), "ours-blackholes")
	b.ReportMetric(float64(other.client.Counters()["Blackhole"]), "net-mptcp-blackholes")
}

// ways are the three ways to connect that are compared.
var ways = []string{"net-tcp", "net-mptcp", "ours"}

// connect returns a connection from the scene's client to a listener of the
// same way on its server, and the accepted end.
func (s *scene) connect(b *testing.B, way string) (client, server net.Conn) {
	b.Helper()
	ctx := context.Background()
	var ln net.Listener
	var err error
	dial := s.dialer().Dial
	if way == "ours" {
		ln, err = (&transport.ListenConfig{NetListenConfig: s.server.ListenConfig()}).Listen(ctx, "tcp4", ":0")
	} else {
		lc, d := s.server.ListenConfig(), s.client.Dialer()
		lc.SetMultipathTCP(way == "net-mptcp")
		d.SetMultipathTCP(way == "net-mptcp")
		dial = d.Dial
		ln, err = lc.Listen(ctx, "tcp4", ":0")
	}
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	client, err = dial("tcp", net.JoinHostPort(s.link.Addr(s.server).String(), port))
	if err != nil {
		b.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// BenchmarkBulk sends as fast as it can for two seconds over a link without a
// limit, on a host with its own default congestion control.
func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("writes=%dKiB", size>>10), func(b *testing.B) { benchmarkBulk(b, size) })
	}
}

func benchmarkBulk(b *testing.B, size int) {
	const span = 2 * time.Second
	s := newScene(b, mptcptest.LinkConfig{Kernel: true}, transport.Require, false)
	turns := newTurns(ways...)
	buf := make([]byte, 256<<10)
	for b.Loop() {
		turns.run(func(i int) {
			c, srv := s.connect(b, ways[i])
			go func() {
				buf := make([]byte, size)
				for {
					if _, err := c.Write(buf); err != nil {
						return
					}
				}
			}()
			var n int64
			start := time.Now()
			for time.Since(start) < span {
				m, err := srv.Read(buf)
				if err != nil {
					b.Fatal(err)
				}
				n += int64(m)
			}
			turns.add(i, time.Duration(float64(time.Since(start))*1e9/float64(n))) // for a gigabyte
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
			srv.Close()
		})
	}
	for i, way := range ways {
		b.ReportMetric(8e9/turns.median(i), way+"-Gbit/s")
	}
	b.ReportMetric(turns.median(0)/turns.median(2), "ours/net-tcp")
	b.ReportMetric(turns.median(0)/turns.median(1), "net-mptcp/net-tcp")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkEcho16K sends 16 KiB and waits for it to come back, over a round
// trip of 10 ms.
func BenchmarkEcho16K(b *testing.B) {
	s := newScene(b, mptcptest.LinkConfig{Delay: 5 * time.Millisecond, Rate: 100 * mptcptest.Mbit}, transport.Require, false)
	const size = 16 << 10
	var conns []net.Conn
	for _, way := range ways {
		c, srv := s.connect(b, way)
		go io.Copy(srv, struct{ io.Reader }{srv})
		conns = append(conns, c)
	}
	turns := newTurns(ways...)
	buf := make([]byte, size)
	for range 150 {
		turns.run(func(i int) {
			if _, err := conns[i].Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(conns[i], buf); err != nil {
				b.Fatal(err)
			}
		})
	}
	for b.Loop() { // what is measured needs a fixed number of rounds
	}
	turns.report(b, 0)
	b.ReportMetric(turns.median(1)/turns.median(0), "net-mptcp/net-tcp")
}
