package scene

import (
	"iter"
	"net/netip"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// A Scene is a client and a server, and two paths between them.
type Scene struct {
	Client, Server *mptcptest.Host

	t             testing.TB
	first, second *mptcptest.Link
	wires         [2]*wire // of first and second
	patience      time.Duration
	record        func(testing.TB, Result)
	old           uint64 // the highest number of a connection of an earlier test, which may still be open
}

// New builds a scene for a test. Both hosts use reno.
func New(t testing.TB) *Scene {
	lab := mptcptest.New(t)
	var old uint64
	for c := range transport.Connections() {
		old = max(old, c.ID())
	}
	s := &Scene{t: t, patience: patience, record: record, old: old, Client: lab.Host("client"), Server: lab.Host("server")}
	for _, h := range []*mptcptest.Host{s.Client, s.Server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", "reno") // BBR would collapse
	}
	s.first = lab.Link(s.Client, s.Server, mptcptest.LinkConfig{Name: "wifi", Delay: 2 * time.Millisecond})
	s.second = lab.Link(s.Client, s.Server, mptcptest.LinkConfig{Name: "lte", Delay: 8 * time.Millisecond})
	s.wires = [2]*wire{watch(s.first, s.Client, s.Server), watch(s.second, s.Client, s.Server)}
	s.Client.AddEndpoint(s.second.Addr(s.Client), mptcptest.Subflow)
	return s
}

// Dialer dials from the client.
func (s *Scene) Dialer() *transport.Dialer {
	return &transport.Dialer{NetDialer: s.Client.Dialer(), Memory: new(transport.Memory)}
}

// Listen listens at a port of all addresses of the server.
func (s *Scene) Listen(port uint16) *transport.Listener {
	s.t.Helper()
	config := transport.ListenConfig{NetListenConfig: s.Server.ListenConfig(), Mode: transport.Require}
	address := netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()
	l, err := config.Listen(s.t.Context(), "tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	return l.(*transport.Listener)
}

// connections are those of this module in this test.
func (s *Scene) connections() iter.Seq[*transport.Connection] {
	return func(yield func(*transport.Connection) bool) {
		for c := range transport.Connections() {
			if c.ID() > s.old && !yield(c) {
				return
			}
		}
	}
}

// Address is where the client reaches a port of the server by the first path.
func (s *Scene) Address(port uint16) string {
	return netip.AddrPortFrom(s.first.Addr(s.Server), port).String()
}
