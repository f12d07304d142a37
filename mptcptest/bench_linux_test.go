package mptcptest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// BenchmarkBulk sends as fast as TCP can for two seconds over links of every
// kind, one or several at a time, and reports what arrived by all of them, in
// Mbit/s. It is what the rates in the package comment come from.
func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		links int
		mptcptest.LinkConfig
	}{
		{1, mptcptest.LinkConfig{Kernel: true}},
		{1, mptcptest.LinkConfig{Kernel: true, Rate: 1000 * mptcptest.Mbit}},
		{1, mptcptest.LinkConfig{Kernel: true, Rate: 100 * mptcptest.Mbit}},
		{1, mptcptest.LinkConfig{}},
		{1, mptcptest.LinkConfig{Rate: 500 * mptcptest.Mbit, Delay: 5 * time.Millisecond}},
		{2, mptcptest.LinkConfig{Rate: 250 * mptcptest.Mbit, Delay: 5 * time.Millisecond}},
		{1, mptcptest.LinkConfig{Rate: 200 * mptcptest.Mbit, Delay: 5 * time.Millisecond}},
		{2, mptcptest.LinkConfig{Rate: 100 * mptcptest.Mbit, Delay: 5 * time.Millisecond}},
		{1, mptcptest.LinkConfig{Rate: 100 * mptcptest.Mbit, Delay: 5 * time.Millisecond}},
		{2, mptcptest.LinkConfig{Rate: 50 * mptcptest.Mbit, Delay: 20 * time.Millisecond}},
	} {
		b.Run(fmt.Sprintf("links=%d/kernel=%v/rate=%d/delay=%v", c.links, c.Kernel, c.Rate/mptcptest.Mbit, c.Delay), func(b *testing.B) {
			for b.Loop() {
				lab := mptcptest.New(b)
				rates := make([]float64, c.links)
				var wg sync.WaitGroup
				for i := range rates {
					s := newStream(b, lab, c.LinkConfig)
					wg.Go(func() { rates[i] = s.measure(b, 2*time.Second) })
				}
				wg.Wait()
				sum := 0.0
				for _, r := range rates {
					sum += r
				}
				b.ReportMetric(sum, "Mbit/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A stream is plain TCP between two hosts of its own.
type stream struct {
	conn net.Conn
	up   *mptcptest.Direction
}

func newStream(b *testing.B, lab *mptcptest.Network, c mptcptest.LinkConfig) *stream {
	client, server := lab.Host("client"), lab.Host("server")
	for _, h := range []*mptcptest.Host{client, server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", "reno")
	}
	link := lab.Link(client, server, c)
	l := server.Listen("tcp", netip.AddrPortFrom(link.Addr(server), 0).String())
	go func() {
		if s, err := l.Accept(); err == nil {
			io.Copy(io.Discard, s)
			s.Close()
		}
	}()
	conn, err := client.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return &stream{conn, link.From(client)}
}

// measure sends for a time, after half a second of warming up, closes the stream
// and returns what arrived, in Mbit/s.
func (s *stream) measure(b *testing.B, d time.Duration) float64 {
	defer s.conn.Close()
	buf := make([]byte, 128<<10)
	send := func(d time.Duration) {
		s.conn.SetDeadline(time.Now().Add(d))
		for {
			if _, err := s.conn.Write(buf); err != nil {
				return
			}
		}
	}
	send(500 * time.Millisecond)
	start, before := time.Now(), s.up.Stats()
	send(d)
	after := s.up.Stats()
	b.Logf("lost %d of %d, %d overruns", after.Dropped-before.Dropped, after.Packets-before.Packets, after.Overruns-before.Overruns)
	return float64(after.Bytes-before.Bytes) * 8 / 1e6 / time.Since(start).Seconds()
}

// BenchmarkDelay measures how much later than it should a small message arrives
// over a wire with a delay of 20 ms, while the processors have nothing to do,
// and while each has a goroutine that computes: in the middle and at worst of a
// hundred round trips, for each way.
func BenchmarkDelay(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("busy=%v", busy), func(b *testing.B) {
			for b.Loop() {
				late := lateness(b, busy)
				b.ReportMetric(late[len(late)/2].Seconds()*1000, "ms/median")
				b.ReportMetric(late[len(late)-1].Seconds()*1000, "ms/worst")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func lateness(b *testing.B, busy bool) (late []time.Duration) {
	const delay = 20 * time.Millisecond
	lab := mptcptest.New(b)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{Delay: delay})
	l := server.Listen("tcp", netip.AddrPortFrom(link.Addr(server), 0).String())
	go echo(l, make(chan net.Conn, 1))
	conn, err := client.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if busy {
		var stop atomic.Bool
		defer stop.Store(true)
		for range runtime.NumCPU() {
			go func() {
				for !stop.Load() {
				}
			}()
		}
	}
	for range 100 {
		start, buf := time.Now(), []byte("x")
		if _, err := conn.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			b.Fatal(err)
		}
		late = append(late, (time.Since(start)-2*delay)/2)
	}
	slices.Sort(late)
	return late
}
