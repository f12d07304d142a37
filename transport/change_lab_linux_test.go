package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// A diary keeps what OnChange is told, in words.
type diary struct {
	mu    sync.Mutex
	lines []string
	last  mptcp.Status
	err   error
}

func (d *diary) onChange(c *transport.Connection, from, to mptcp.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if from.String() != d.last.String() {
		d.err = fmt.Errorf("from %v to %v, after %v", from, to, d.last)
	}
	line := to.String()
	if n, ok := to.Subflows(); ok && to.State == mptcp.Multipath {
		line += fmt.Sprintf(" %d", n)
	}
	if c.Last() {
		line = "closed, " + line
	}
	d.lines = append(d.lines, line)
	d.last = to
}

// wait waits until the newest line is that.
func (d *diary) wait(t *testing.T, line string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		lines, err := d.lines, d.err
		d.mu.Unlock()
		if n := len(lines); n > 0 && lines[n-1] == line {
			return
		}
		if time.Now().After(end) || err != nil {
			t.Fatalf("%q, %v: want %q at the end", lines, err, line)
		}
	}
}

// opened connects two ends that keep a diary each, by the given link.
func opened(t *testing.T, client, server *mptcptest.Host, link *mptcptest.Link) (c, srv net.Conn, cd, sd *diary) {
	t.Helper()
	cd, sd = new(diary), new(diary)
	lc := transport.ListenConfig{NetListenConfig: server.ListenConfig(), OnChange: sd.onChange}
	ln, err := lc.Listen(context.Background(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	d := &transport.Dialer{NetDialer: client.Dialer(), Memory: new(transport.Memory), OnChange: cd.onChange}
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	if c, err = d.Dial("tcp", netip.AddrPortFrom(link.Addr(server), port).String()); err != nil {
		t.Fatal(err)
	}
	if srv, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); srv.Close() })
	return c, srv, cd, sd
}

// confirmed exchanges something and waits until both ends have confirmed that
// they use Multipath TCP: an endpoint that is added before that may be passed
// over, and a fallback is that of the first data.
func confirmed(t *testing.T, c, srv net.Conn) {
	t.Helper()
	exchange(c, srv)
	for _, end := range []net.Conn{c, srv} {
		until := time.Now().Add(10 * time.Second)
		for s := (mptcp.Status{}); !s.Confirmed; time.Sleep(time.Millisecond) {
			var err error
			if s, err = mptcp.Inspect(end); err != nil || s.State != mptcp.Multipath {
				t.Fatalf("%v, %v", s, err)
			}
			if time.Now().After(until) {
				t.Fatalf("%v: not confirmed after data", s)
			}
		}
	}
}

// exchange has both ends write, and does not wait for what they wrote.
func exchange(c, srv net.Conn) {
	c.Write([]byte("ping"))
	srv.Write([]byte("pong"))
}

func TestOnChange(t *testing.T) {
	t.Run("subflows", func(t *testing.T) {
		t.Parallel()
		lab := mptcptest.New(t)
		client, server := lab.Host("client"), lab.Host("server")
		first := lab.Link(client, server, mptcptest.LinkConfig{Name: "first"})
		second := lab.Link(client, server, mptcptest.LinkConfig{Name: "second"})
		client.SetLimits(2, 2)
		server.SetLimits(2, 2)
		c, srv, cd, sd := opened(t, client, server, first)
		confirmed(t, c, srv)
		cd.wait(t, "multipath 1")
		sd.wait(t, "multipath 1")
		client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
		cd.wait(t, "multipath 2")
		sd.wait(t, "multipath 2")
		client.RemoveEndpoint(second.Addr(client))
		cd.wait(t, "multipath 1")
		sd.wait(t, "multipath 1")
		first.Inject(mptcptest.ResetAll())
		exchange(c, srv)
		cd.wait(t, "unknown (no-subflow)")
		c.Close()
		cd.wait(t, "closed, unknown (no-subflow)")
		sd.wait(t, "unknown (no-subflow)")
		srv.Close()
		sd.wait(t, "closed, unknown (no-subflow)")
	})
	t.Run("fallback", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, mptcptest.LinkConfig{}, transport.Prefer, false)
		c, srv, cd, sd := opened(t, s.client, s.server, s.link)
		confirmed(t, c, srv)
		cd.wait(t, "multipath 1")
		sd.wait(t, "multipath 1")
		s.link.Inject(mptcptest.StripMPTCP(mptcptest.Always))
		exchange(c, srv)
		cd.wait(t, "fallback (mid-stream)")
		sd.wait(t, "fallback (mid-stream)")
		c.Close()
		srv.Close()
		cd.wait(t, "closed, fallback (mid-stream)")
		sd.wait(t, "closed, fallback (mid-stream)")
	})
	t.Run("subflow timed out", func(t *testing.T) {
		t.Parallel()
		s, second := twoPaths(t)
		s.client.Sysctl("net.ipv4.tcp_retries2", 2)
		c, srv, cd, sd := opened(t, s.client, s.server, s.link)
		confirmed(t, c, srv)
		s.client.AddEndpoint(second.Addr(s.client), mptcptest.Subflow)
		cd.wait(t, "multipath 2")
		sd.wait(t, "multipath 2")
		second.Inject(mptcptest.DropAll())
		go io.Copy(io.Discard, srv)
		done := make(chan struct{})
		defer close(done)
		go func() {
			for { // more than one path can hold, so that the other one is used
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return
				}
				select {
				case <-done:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		}()
		cd.wait(t, "multipath 1")
	})
	t.Run("unacknowledged", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
		cd := new(diary)
		d := s.dialer()
		d.UserTimeout, d.OnChange = time.Second, cd.onChange
		c, err := d.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		roundTrip(t, c)
		cd.wait(t, "multipath 1")
		s.link.Inject(mptcptest.DropAll())
		c.Write([]byte("hello"))
		cd.wait(t, "unknown (unacknowledged)")
		c.Close()
		cd.wait(t, "closed, unknown (unacknowledged)")
	})
	t.Run("TCP", func(t *testing.T) {
		t.Parallel()
		s := newScene(t, mptcptest.LinkConfig{}, transport.Prefer, false)
		s.link.Inject(mptcptest.StripMPTCP(mptcptest.OnSYN))
		c, srv, cd, sd := opened(t, s.client, s.server, s.link)
		cd.wait(t, "fallback (not-answered)")
		sd.wait(t, "tcp (not-offered)")
		c.Close()
		srv.Close()
		cd.wait(t, "closed, fallback (not-answered)")
		sd.wait(t, "closed, tcp (not-offered)")
	})
}

// TestOnChangeAtTheEnd: a connection that lives for a moment, or that is
// forgotten without having been closed, is told of all the same, and nothing
// of it remains.
func TestOnChangeAtTheEnd(t *testing.T) {
	before := measure(t)
	var mu sync.Mutex
	ended := make(map[uint64]mptcp.Status)
	onChange := func(c *transport.Connection, _, to mptcp.Status) {
		mu.Lock()
		defer mu.Unlock()
		if c.Last() {
			if !c.Closed() {
				t.Error("the end of a connection that is not closed was told")
			}
			if _, ok := ended[c.ID()]; ok {
				t.Errorf("connection %d has ended twice", c.ID())
			}
			ended[c.ID()] = to
		}
	}
	ln, err := (&transport.ListenConfig{OnChange: onChange}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &transport.Dialer{OnChange: onChange}
	const n = 200
	for i := range n {
		c, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		srv, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		// What is not read when it is closed is a reset, and no subflow is left
		// at the other end: that may be seen before it is closed as well.
		io.WriteString(c, "x")
		if _, err := io.ReadFull(srv, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if i%10 != 0 {
			srv.Close()
			c.Close()
		}
	}
	ln.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		mu.Lock()
		got := len(ended)
		mu.Unlock()
		if got == 2*n {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the end of %d connections was told, of %d", got, 2*n)
		}
	}
	for id, s := range ended {
		if s.State != mptcp.Multipath {
			t.Errorf("connection %d: %v", id, s)
		}
	}
	backTo(t, before)
}

// TestOnChangeHeard: a process that may hear the path manager's events is told
// at once, however long nothing has happened before.
func TestOnChangeHeard(t *testing.T) {
	pm, err := pathmanager.Dial() // of the laboratory's own namespace
	if err != nil {
		t.Fatal(err)
	}
	defer pm.Close()
	before, err := pm.Limits()
	if err != nil {
		t.Fatal(err)
	}
	defer pm.SetLimits(before)
	if err := pm.SetLimits(pathmanager.Limits{Subflows: 2, AddAddrAccepted: 2}); err != nil {
		t.Fatal(err)
	}
	told := make(chan time.Time, 10)
	d := transport.Dialer{OnChange: func(_ *transport.Connection, from, to mptcp.Status) {
		m, _ := from.Subflows()
		if n, _ := to.Subflows(); m > 0 && n > 0 && m != n {
			told <- time.Now()
		}
	}}
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	defer (<-conns).Close()
	endpoint := pathmanager.Endpoint{ID: 77, Addr: netip.MustParseAddr("127.0.0.77"), Flags: pathmanager.Subflow}
	// One that merely looked would be told after 0.4 s in the mean. A busy
	// machine may be late as well, but not each time.
	const times, tries = 3, 4
	for try := 1; ; try++ {
		var late time.Duration
		for range times {
			time.Sleep(2 * time.Second) // until it looks but rarely
			start := time.Now()
			if err := pm.AddEndpoint(endpoint); err != nil {
				t.Fatal(err)
			}
			select {
			case at := <-told:
				late += at.Sub(start)
			case <-time.After(10 * time.Second):
				t.Fatal("not told of a subflow")
			}
			if err := pm.DeleteEndpoint(endpoint); err != nil {
				t.Fatal(err)
			}
			<-told
		}
		t.Logf("told %v after the change", late/times)
		if late/times <= 100*time.Millisecond {
			return
		}
		if try == tries {
			t.Fatalf("told %v after the change", late/times)
		}
	}
}
