package main

import (
	"context"
	"net"
	"net/netip"
	"os"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// The stacks that carry the same bytes.
const (
	tcp  = "TCP"
	std  = "package net"
	ours = "this module"

	// reported is ours with a reporter on both sides, which costs most.
	reported = "this module, reporting"
)

// fair is the congestion control of every stack, except where a table is about
// the host's own. Package net takes what the host has, which may be BBR, and
// this module does not: what is compared here is the stacks. Every process may
// use it in a namespace.
const fair = "reno"

const congestionFile = "net/ipv4/tcp_congestion_control"

// hostCongestion is the congestion control of the machine, which every
// namespace begins with.
var hostCongestion = sysctl(congestionFile)

// useCongestion sets the congestion control of the program's own namespace,
// where loopback is.
func useCongestion(name string) error {
	return os.WriteFile("/proc/sys/"+congestionFile, []byte(name), 0)
}

// A network is where a stack listens and dials: a host each of a laboratory, or
// this process on loopback.
type network struct {
	client, server *mptcptest.Host
	address        netip.Addr // of the server
}

var loopback = network{address: netip.MustParseAddr("127.0.0.1")}

// newHosts makes a laboratory with two hosts that have no link yet.
func newHosts(l *lab, congestion string) (built *mptcptest.Network, client, server *mptcptest.Host) {
	built = mptcptest.New(l)
	client, server = built.Host("client"), built.Host("server")
	for _, h := range []*mptcptest.Host{client, server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", congestion)
		h.SetLimits(2, 2)
	}
	return built, client, server
}

func isOurs(stack string) bool { return stack == ours || stack == reported }

// netDialer is what the stack dials with in the end.
func (n network) netDialer() *net.Dialer {
	if n.client != nil {
		return n.client.Dialer()
	}
	return new(net.Dialer)
}

// listen listens on the wildcard address, and returns the address to dial.
func (n network) listen(l *lab, stack string) (net.Listener, string) {
	lc := new(net.ListenConfig)
	if n.server != nil {
		lc = n.server.ListenConfig()
	}
	var ln net.Listener
	var err error
	if isOurs(stack) {
		ln, err = (&transport.ListenConfig{NetListenConfig: lc}).Listen(l, "tcp", ":0")
	} else {
		lc.SetMultipathTCP(stack == std)
		ln, err = lc.Listen(l, "tcp", ":0")
	}
	l.check(err)
	l.Cleanup(func() { ln.Close() })
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	return ln, netip.AddrPortFrom(n.address, port).String()
}

// dialer returns what the stack dials with. Of this module each has a memory of
// its own, so that no turn learns from another.
func (n network) dialer(stack string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := n.netDialer()
	if isOurs(stack) {
		return (&transport.Dialer{NetDialer: d, Memory: new(transport.Memory)}).DialContext
	}
	d.SetMultipathTCP(stack == std)
	return d.DialContext
}
