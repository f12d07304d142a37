package pathmanager_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// A tally counts the events of a host.
type tally struct {
	types     [17]atomic.Int64 // by type
	seen      atomic.Int64
	lost      atomic.Int64
	overflows atomic.Int64
	after     atomic.Int64 // events since the last overflow
}

// count counts events until the test ends. It begins when hold is closed.
func count(t *testing.T, h *mptcptest.Host, hold <-chan struct{}) *tally {
	t.Helper()
	n := new(tally)
	ctx, cancel := context.WithCancel(context.Background())
	events, err := dial(t, h).Events(ctx)
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		<-hold
		for e, err := range events {
			if lost, ok := errors.AsType[*pathmanager.OverflowError](err); ok {
				if !errors.Is(err, syscall.ENOBUFS) || lost.Lost == 0 {
					t.Errorf("overflow: %v", err)
				}
				n.lost.Add(int64(lost.Lost))
				n.overflows.Add(1)
				n.after.Store(0)
				continue
			}
			if err != nil || len(e.Unknown) != 0 || int(e.Type) >= len(n.types) {
				t.Errorf("event %v, %v", e, err)
				continue
			}
			n.types[e.Type].Add(1)
			n.seen.Add(1)
			n.after.Add(1)
		}
	}()
	return n
}

// total is the number of events that there were, heard or not.
func (n *tally) total() int64 { return n.seen.Load() + n.lost.Load() }

// flood opens and closes connections, some at a time.
func flood(t *testing.T, from *mptcptest.Host, l net.Listener, to string, connections int) {
	t.Helper()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	d := from.Dialer()
	d.SetMultipathTCP(true)
	var left atomic.Int64
	left.Store(int64(connections))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b := make([]byte, 1)
			for left.Add(-1) >= 0 {
				c, err := d.Dial("tcp", to)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Write(b); err != nil {
					t.Error(err)
				}
				if _, err := io.ReadFull(c, b); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}

// TestFlood opens and closes 10,000 connections. No event is lost without a
// word: each connection is heard to begin, to be established and to end, or
// what is missing has been reported as lost.
func TestFlood(t *testing.T) {
	const connections = 10_000
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	link := lab.Link(phone, server, mptcptest.LinkConfig{Kernel: true})
	at := netip.AddrPortFrom(link.Addr(server), 4321).String()
	l := listenMPTCP(t, server, at)
	now := make(chan struct{})
	close(now)
	client, accepted := count(t, phone, now), count(t, server, now)
	begin := time.Now()
	flood(t, phone, l, at, connections)
	took := time.Since(begin)
	for _, n := range []*tally{client, accepted} {
		wanted := []pathmanager.EventType{
			pathmanager.EventCreated, pathmanager.EventEstablished, pathmanager.EventClosed,
		}
		missing := func() (all int64) {
			for _, typ := range wanted {
				all += connections - n.types[typ].Load()
			}
			return all
		}
		for deadline := time.Now().Add(20 * time.Second); missing() > n.lost.Load() && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("%d events, %d lost in %d overflows, %v", n.seen.Load(), n.lost.Load(), n.overflows.Load(), took)
		for _, typ := range wanted {
			if got := n.types[typ].Load(); got > connections || got < connections-n.lost.Load() {
				t.Errorf("%d events %v of %d connections, %d events lost", got, typ, connections, n.lost.Load())
			}
		}
		if missing() > n.lost.Load() {
			t.Errorf("%d events are missing, %d were lost", missing(), n.lost.Load())
		}
	}
}

// TestOverflow has a loop that comes too late. It is told how many events it
// has missed: as many as another loop has heard. Those that come after it was
// told it does not miss.
func TestOverflow(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	link := lab.Link(phone, server, mptcptest.LinkConfig{Kernel: true})
	at := netip.AddrPortFrom(link.Addr(server), 4321).String()
	l := listenMPTCP(t, server, at)
	now, late := make(chan struct{}), make(chan struct{})
	close(now)
	fast, slow := count(t, phone, now), count(t, phone, late)
	same := func(atLeast int64) bool {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if fast.total() >= atLeast && fast.total() == slow.total() {
				return true
			}
		}
		return false
	}
	const connections, more = 12_000, 50
	flood(t, phone, l, at, connections)
	for deadline := time.Now().Add(20 * time.Second); fast.total() < 3*connections && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	close(late)
	if !same(3*connections) || slow.lost.Load() == 0 {
		t.Errorf("the late loop counts %d events, %d of them lost, the other %d",
			slow.total(), slow.lost.Load(), fast.total())
	}
	lost, after := slow.lost.Load(), slow.after.Load()
	if after != 0 {
		t.Errorf("%d events came after the report, and had happened before those that were lost", after)
	}
	flood(t, phone, l, at, more)
	if !same(3*(connections+more)) || slow.lost.Load() != lost || slow.after.Load() != after+3*more {
		t.Errorf("after the overflow the late loop heard %d events and lost %d, want %d and 0",
			slow.after.Load()-after, slow.lost.Load()-lost, 3*more)
	}
	t.Logf("%d events, and %d lost in %d overflows; the late loop: %d events, and %d lost in %d overflows",
		fast.seen.Load(), fast.lost.Load(), fast.overflows.Load(), slow.seen.Load(), slow.lost.Load(), slow.overflows.Load())
}
