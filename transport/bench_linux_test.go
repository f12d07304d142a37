package transport_test

import (
	"net"
	"testing"

	"github.com/multipath-go/mptcp/transport"
)

// BenchmarkDial dials and closes, by turns with package net's TCP, package
// net's Multipath TCP and this package, so that noise falls on all alike. The
// metrics are nanoseconds for each, and our ratio to package net's.
func BenchmarkDial(b *testing.B) {
	ln := listenMultipath(b, "127.0.0.1:0")
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	defer ln.Close()
	var tcp, multipath net.Dialer
	tcp.SetMultipathTCP(false)
	multipath.SetMultipathTCP(true)
	var ours transport.Dialer
	turns := newTurns("net-tcp", "net-mptcp", "ours")
	dials := []func(network, address string) (net.Conn, error){tcp.Dial, multipath.Dial, ours.Dial}
	for b.Loop() {
		turns.run(func(i int) {
			c, err := dials[i]("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			c.Close()
		})
	}
	turns.report(b, 1)
}
