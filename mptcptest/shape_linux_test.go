package mptcptest_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// roundTrip measures the shortest time of small exchanges over plain TCP. It goes
// on until one was quick enough: a busy machine makes them slower only.
func roundTrip(t *testing.T, p *pair, enough time.Duration) time.Duration {
	t.Helper()
	c, err := p.client.DialContext(context.Background(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	best := time.Hour
	for i := 0; i < 5 || i < 100 && best > enough; i++ {
		start := time.Now()
		exchange(t, c, "x")
		best = min(best, time.Since(start))
	}
	return best
}

func within(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, got)
	if got < low || got > high {
		t.Errorf("%s: %v, want %v to %v", what, got, low, high)
	}
}

func TestDelay(t *testing.T) {
	p := newPair(t, false)
	check := func(what string, low, high time.Duration) {
		t.Helper()
		within(t, what, roundTrip(t, p, high), low, high)
	}
	check("no delay", 0, 10*time.Millisecond)
	p.link.SetDelay(20 * time.Millisecond)
	check("20 ms each way", 40*time.Millisecond, 50*time.Millisecond)
	s := p.link.From(p.server).Shape()
	s.Delay = 0
	p.link.From(p.server).SetShape(s)
	check("20 ms one way", 20*time.Millisecond, 30*time.Millisecond)
	s.Jitter = 40 * time.Millisecond
	p.link.From(p.server).SetShape(s)
	check("20 ms one way, up to 40 the other", 20*time.Millisecond, 70*time.Millisecond)
}

// flood sends UDP from one host to another, as fast as the link takes it, and
// measures what arrives.
func flood(t *testing.T, l *mptcptest.Link, a, b *mptcptest.Host, d time.Duration) mptcptest.Rate {
	t.Helper()
	var c net.Conn
	var err error
	a.Do(func() { c, err = net.Dial("udp", net.JoinHostPort(l.Addr(b).String(), "9")) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.UDPConn).SetWriteBuffer(1 << 20); err != nil { // what waits on a kernel link is here
		t.Fatal(err)
	}
	send := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
			for range 30 {
				c.Write(make([]byte, 1472)) // refused: nobody is there
			}
		}
	}
	send(d / 4) // fill the queue
	start, before := time.Now(), l.From(a).Stats()
	send(d)
	after := l.From(a).Stats()
	return mptcptest.Rate(float64(after.Bytes-before.Bytes) * 8 / time.Since(start).Seconds())
}

func TestRate(t *testing.T) {
	const queue = 1 << 18 // at least 100 ms of it, for when the sender stands still
	for _, c := range []mptcptest.LinkConfig{
		{Rate: 20 * mptcptest.Mbit, Queue: queue},
		{Rate: 20 * mptcptest.Mbit, Queue: queue, Delay: 10 * time.Millisecond},
		{Rate: 20 * mptcptest.Mbit, Queue: queue, Kernel: true},
		{Rate: mptcptest.Gbit, Up: &mptcptest.Shape{Rate: 5 * mptcptest.Mbit, Queue: queue}},
	} {
		lab := mptcptest.New(t)
		a, b := lab.Host("a"), lab.Host("b")
		l := lab.Link(a, b, c)
		want := l.From(a).Shape().Rate
		// A machine that stands still takes from one measurement and may give
		// to the next.
		exact := func(got mptcptest.Rate) bool { return got >= want*95/100 && got <= want*105/100 }
		var all []mptcptest.Rate
		for len(all) == 0 || !exact(all[len(all)-1]) && len(all) < 6 {
			all = append(all, flood(t, l, a, b, 600*time.Millisecond))
		}
		t.Logf("%v of %v", all, want)
		if !exact(all[len(all)-1]) {
			t.Errorf("%v over a link of %v", all, want)
		}
	}
}

func TestLoss(t *testing.T) {
	count := func(seed uint64) (packets, lost uint64) {
		lab := mptcptest.New(t)
		a, b := lab.Host("a"), lab.Host("b")
		l := lab.Link(a, b, mptcptest.LinkConfig{Loss: 0.25, Seed: seed})
		var c net.Conn
		var err error
		a.Do(func() { c, err = net.Dial("udp", net.JoinHostPort(l.Addr(b).String(), "9")) })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sink, err := b.ListenConfig().ListenPacket(context.Background(), "udp", ":9")
		if err != nil {
			t.Fatal(err)
		}
		defer sink.Close()
		for range 400 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		eventually(func() bool {
			s := l.From(a).Stats()
			packets, lost = s.Packets, s.Dropped
			return packets+lost >= 400
		})
		return packets, lost
	}
	packets, lost := count(1)
	t.Logf("%d arrived, %d lost", packets, lost)
	if share := float64(lost) / float64(packets+lost); share < 0.15 || share > 0.35 {
		t.Errorf("lost %.0f%%", 100*share)
	}
	if _, again := count(1); again != lost {
		t.Errorf("with the same seed, %d lost, then %d", lost, again)
	}
}

func TestMTU(t *testing.T) {
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{MTU: 1300})
	var longest atomic.Int64
	link.From(server).Inject(mptcptest.Fault{Name: "measure", Filter: func(p *mptcptest.Packet) mptcptest.Verdict {
		longest.Store(max(longest.Load(), int64(len(p.Bytes()))))
		return mptcptest.Pass
	}})
	l := server.Listen("tcp", ":0")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	go echo(l, make(chan net.Conn, 1))
	c := dial(t, client, net.JoinHostPort(link.Addr6(server).String(), port))
	exchange(t, c, strings.Repeat("x", 10_000))
	if n := longest.Load(); n != 1300 {
		t.Errorf("longest packet: %d", n)
	}
}

func TestSetRate(t *testing.T) {
	p := newPair(t, false)
	c := dial(t, p.client, p.address)
	p.link.From(p.client).SetShape(mptcptest.Shape{Rate: 800 * mptcptest.Kbit})
	start := time.Now()
	exchange(t, c, strings.Repeat("x", 40_000)) // 400 ms of it
	within(t, "40 kB at 800 kbit/s", time.Since(start), 380*time.Millisecond, 3*time.Second)
	p.link.SetRate(80 * mptcptest.Kbit)
	go c.Write(make([]byte, 60_000)) // 6 s of it
	time.Sleep(50 * time.Millisecond)
	start = time.Now()
	p.link.SetRate(0)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 60_000)); err != nil {
		t.Fatal(err)
	}
	within(t, "what waited", time.Since(start), 0, 3*time.Second)
}
