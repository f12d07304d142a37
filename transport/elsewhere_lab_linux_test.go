package transport_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestDeadDefaultPath: the path that the routing table prefers is dead. The
// dial succeeds by another source, and the first path joins when it is back.
func TestDeadDefaultPath(t *testing.T) {
	for _, silent := range []bool{true, false} {
		name := map[bool]string{true: "silently", false: "interface down"}[silent]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := mptcptest.New(t)
			client, router, server := lab.Host("client"), lab.Router("router"), lab.Host("server")
			first := lab.Link(client, router, mptcptest.LinkConfig{Name: "first"})
			second := lab.Link(client, router, mptcptest.LinkConfig{Name: "second"})
			uplink := lab.Link(router, server, mptcptest.LinkConfig{Name: "uplink"})
			client.SetLimits(4, 4)
			server.SetLimits(4, 4)
			client.AddEndpoint(first.Addr(client), mptcptest.Subflow)
			client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
			heal := first.Restore
			if silent {
				heal = first.Inject(mptcptest.DropAll())
			} else {
				first.CutAt(client)
			}

			ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(context.Background(), "tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			echo(t, ln)
			port := netip.MustParseAddrPort(ln.Addr().String()).Port()
			address := netip.AddrPortFrom(uplink.Addr(server), port).String()

			d := transport.Dialer{
				NetDialer: client.Dialer(), Memory: new(transport.Memory),
				Sources: []netip.Addr{first.Addr(client), second.Addr(client)},
			}
			start := time.Now()
			c, err := d.Dial("tcp", address)
			took := time.Since(start)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			roundTrip(t, c)
			if st, err := mptcp.Inspect(c); err != nil || st.State != mptcp.Multipath {
				t.Errorf("%v, %v", st, err)
			}
			if took > time.Second {
				t.Errorf("connected after %v", took)
			}
			t.Logf("connected after %v from %v", took, c.LocalAddr())
			if d.Memory.Len() != 0 {
				t.Error("a dead path was taken for a middlebox")
			}

			heal()
			if !silent {
				// The kernel does not try again by itself: a path manager that
				// follows interfaces adds the endpoint anew.
				client.RemoveEndpoint(first.Addr(client))
				client.AddEndpoint(first.Addr(client), mptcptest.Subflow)
			}
			go io.Copy(io.Discard, c)
			for end := time.Now().Add(20 * time.Second); acked(t, c, first.Addr(client)) < 100<<10; {
				if _, err := c.Write(make([]byte, 256<<10)); err != nil {
					t.Fatal(err)
				}
				if time.Now().After(end) {
					t.Fatal("the first path carries nothing after it came back")
				}
			}
		})
	}
}

// acked returns how much the peer has acknowledged on the subflow from local.
func acked(t *testing.T, c net.Conn, local netip.Addr) (n uint64) {
	t.Helper()
	list, err := mptcp.Subflows(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.State == mptcp.TCPEstablished && s.Local.Addr() == local {
			n += s.BytesAcked
		}
	}
	return n
}

// TestDeadDefaultPathEndpoints: without Sources, the dial tries the endpoints of
// the path manager of the namespace that the process is in.
func TestDeadDefaultPathEndpoints(t *testing.T) {
	t.Parallel()
	lab := mptcptest.New(t)
	client, router, server := lab.Host("client"), lab.Router("router"), lab.Host("server")
	first := lab.Link(client, router, mptcptest.LinkConfig{Name: "first"})
	second := lab.Link(client, router, mptcptest.LinkConfig{Name: "second"})
	uplink := lab.Link(router, server, mptcptest.LinkConfig{Name: "uplink"})
	client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
	first.Inject(mptcptest.DropAll())
	ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(context.Background(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, ln)
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	says := start(t, client.Command(testBinary(t), "dial", netip.AddrPortFrom(uplink.Addr(server), port).String()))
	says(second.Addr(client).String() + " multipath")
}

// TestNoSourceReaches: with nothing alive the error is that of the default
// path, in time, and nothing stays behind.
func TestNoSourceReaches(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	s.link.Inject(mptcptest.DropAll())
	d := s.dialer()
	d.Sources = []netip.Addr{s.link.Addr(s.client), netip.MustParseAddr("192.0.2.77"), s.link.Addr6(s.client)}
	before := measure(t)
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := d.DialContext(ctx, "tcp", s.address)
	if op := dialError(t, err); !op.Timeout() || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	backTo(t, before)
}

// TestOneConnection: two other local addresses are answered at the same moment.
// Whoever watches is told of the connection that the dial returns, and of no
// other.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	lab := mptcptest.New(t)
	client, router, server := lab.Host("client"), lab.Router("router"), lab.Host("server")
	lab.Link(client, router, mptcptest.LinkConfig{Name: "first"}).Inject(mptcptest.DropAll())
	var answers atomic.Int64
	var sources []netip.Addr
	for _, name := range []string{"second", "third"} {
		path := lab.Link(client, router, mptcptest.LinkConfig{Name: name})
		path.From(router).Inject(mptcptest.DropIf("wait for the other one", func(p *mptcptest.Packet) bool {
			if p.SYN() && p.ACK() {
				answers.Add(1)
				for start := time.Now(); answers.Load()%2 != 0 && time.Since(start) < 500*time.Millisecond; {
					time.Sleep(20 * time.Microsecond)
				}
			}
			return false
		}))
		sources = append(sources, path.Addr(client))
	}
	uplink := lab.Link(router, server, mptcptest.LinkConfig{Name: "uplink"})
	ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(context.Background(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, ln)
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()

	var mu sync.Mutex
	told := make(map[string]bool)
	d := transport.Dialer{
		NetDialer: client.Dialer(), Memory: new(transport.Memory), Sources: sources,
		OnChange: func(c *transport.Connection, _, _ mptcp.Status) {
			mu.Lock()
			defer mu.Unlock()
			told[c.LocalAddr().String()] = true
		},
	}
	want := make(map[string]bool)
	for range 10 {
		c, err := d.Dial("tcp", netip.AddrPortFrom(uplink.Addr(server), port).String())
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c)
		want[c.LocalAddr().String()] = true
		c.Close()
	}
	var got int
	for range 300 { // also of those that were closed at once
		mu.Lock()
		got = len(told)
		mu.Unlock()
		if got > len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if !maps.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
