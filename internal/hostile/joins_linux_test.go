package hostile

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

// joins counts the subflows that are begun on a link: requests that are sent
// again are not counted again.
type joins struct {
	mu   sync.Mutex
	from map[netip.AddrPort]bool
}

func (j *joins) watch(d *mptcptest.Direction) {
	j.from = make(map[netip.AddrPort]bool)
	d.Inject(mptcptest.Fault{Name: "count joins", Filter: func(p *mptcptest.Packet) mptcptest.Verdict {
		if p.SYN() && !p.ACK() && p.HasMPTCP(mptcptest.MPJoin) {
			j.mu.Lock()
			j.from[p.Source()] = true
			j.mu.Unlock()
		}
		return mptcptest.Pass
	}})
}

func (j *joins) begun() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.from)
}

// connect makes a connection that may be joined: it has sent something.
func connect(t *testing.T, from *mptcptest.Host, address netip.AddrPort) net.Conn {
	t.Helper()
	d := from.Dialer()
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	h := newH2()
	if err := h.send(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// subflows are how many of a connection are established.
func subflows(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	list, err := mptcp.Subflows(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.State == mptcp.TCPEstablished {
			n++
		}
	}
	return n
}

// hosts makes two hosts that take as many subflows as there may be.
func hosts(lab *mptcptest.Network, names ...string) (list []*mptcptest.Host) {
	for _, name := range names {
		h := lab.Host(name)
		h.SetLimits(8, 8)
		list = append(list, h)
	}
	return list
}

// TestHalfOpenJoins: subflows whose handshake never ends, several of each of
// hundreds of connections, do not keep anybody else from joining or from being
// served.
func TestHalfOpenJoins(t *testing.T) {
	const connections = 200
	lab := mptcptest.New(t)
	h := hosts(lab, "client", "friend", "server")
	client, friend, server := h[0], h[1], h[2]
	first := lab.Link(client, server, mptcptest.LinkConfig{Name: "first"})
	ways := make([]struct {
		joins
		heal func()
	}, 3)
	for i := range ways {
		link := lab.Link(client, server, mptcptest.LinkConfig{})
		client.AddEndpoint(link.Addr(client), mptcptest.Subflow)
		ways[i].watch(link.From(client))
		// The server gets the request, and its answer is lost.
		ways[i].heal = link.From(server).Inject(mptcptest.DropAll())
	}
	good := [2]*mptcptest.Link{lab.Link(friend, server, mptcptest.LinkConfig{}), lab.Link(friend, server, mptcptest.LinkConfig{})}
	friend.AddEndpoint(good[1].Addr(friend), mptcptest.Subflow)

	v := serve(t, server, client.Dialer(), first.Addr(server))
	v.serves()
	before := v.settled()
	var conns []net.Conn
	for i := range connections {
		conns = append(conns, connect(t, client, []netip.AddrPort{v.grpc, v.http}[i%2]))
	}
	v.serves()
	for i := range ways {
		eventually(t, "each connection has begun a subflow by each way", func() bool { return ways[i].begun() >= connections })
	}
	if n := server.Counters()["MPJoinAckRx"]; n > 0 {
		t.Errorf("%d subflows are not half open", n)
	}

	other := connect(t, friend, netip.AddrPortFrom(good[0].Addr(server), v.grpc.Port()))
	eventually(t, "somebody else joins", func() bool { return subflows(t, other) == 2 })
	v.serves()
	for _, c := range append(conns, other) {
		c.Close()
	}
	for i := range ways {
		t.Logf("%d subflows were begun", ways[i].begun())
		ways[i].heal()
	}
	v.serves()
	v.returns(before)
}

// TestSubflowResets: somebody in the middle resets a subflow of each of many
// connections, again and again. They go on by the other one, and nobody else
// notices.
func TestSubflowResets(t *testing.T) {
	const connections, rounds = 100, 3
	lab := mptcptest.New(t)
	h := hosts(lab, "client", "server")
	client, server := h[0], h[1]
	first := lab.Link(client, server, mptcptest.LinkConfig{Name: "first"})
	second := lab.Link(client, server, mptcptest.LinkConfig{Name: "second"})
	v := serve(t, server, client.Dialer(), first.Addr(server))
	v.serves()
	before := v.settled()
	var conns []net.Conn
	for range connections {
		conns = append(conns, connect(t, client, v.http))
	}
	for _, c := range conns {
		ping(t, c) // no subflow is opened before the peer has been heard
	}
	all := func(want int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(conns, func(c net.Conn) bool { return subflows(t, c) != want })
		}
	}
	for range rounds {
		client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
		asked := time.Now()
		eventually(t, "all have two subflows", func() bool {
			if all(2)() {
				return true
			}
			if time.Since(asked) > 10*time.Second { // the kernel asks once, and forgets who was refused
				client.RemoveEndpoint(second.Addr(client))
				client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
				asked = time.Now()
			}
			return false
		})
		heal := second.Inject(mptcptest.ResetAll())
		client.SetEndpoint(second.Addr(client), mptcptest.Subflow|mptcptest.Backup) // says so on each subflow, and is answered by a reset
		eventually(t, "all have one subflow", all(1))
		heal()
		var done sync.WaitGroup
		for _, c := range conns {
			done.Go(func() { ping(t, c) })
		}
		done.Wait()
		v.serves()
		client.RemoveEndpoint(second.Addr(client))
	}
	for _, c := range conns {
		ping(t, c)
		c.Close()
	}
	v.returns(before)
}

// ping asks a server of HTTP/2 for a sign of life on a connection.
func ping(t *testing.T, c net.Conn) {
	t.Helper()
	f := http2.NewFramer(c, c)
	c.SetDeadline(time.Now().Add(patience))
	data := [8]byte{1: byte(time.Now().Nanosecond())}
	if err := f.WritePing(false, data); err != nil {
		t.Error(err)
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Error(err)
			return
		}
		if p, ok := frame.(*http2.PingFrame); ok && p.IsAck() && p.Data == data {
			return
		}
	}
}
