package mptcp_test

import (
	"context"
	"net"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// tracked returns both ends of a connection made by package transport.
func tracked(t testing.TB, listener transport.Mode) (client, server net.Conn) {
	t.Helper()
	ln, err := (&transport.ListenConfig{Mode: listener}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// TestInspectAddrAllocs: a handler that asks for each RPC pays no allocation.
func TestInspectAddrAllocs(t *testing.T) {
	for _, mode := range []transport.Mode{transport.Require, transport.Off} {
		client, server := tracked(t, mode)
		for name, addr := range map[string]net.Addr{"client": client.LocalAddr(), "server": server.LocalAddr()} {
			var s mptcp.Status
			var err error
			n := testing.AllocsPerRun(1000, func() { s, err = mptcp.InspectAddr(addr) })
			if err != nil || s.State == mptcp.Unknown {
				t.Fatalf("%s: %v, %v", name, s, err)
			}
			if n != 0 {
				t.Errorf("%s, %v: %v allocations, want 0", name, s, n)
			}
		}
	}
}

// TestAddrsSecondKey: copies of the addresses find the connection as well.
func TestAddrsSecondKey(t *testing.T) {
	client, server := tracked(t, transport.Require)
	for _, c := range []net.Conn{client, server} {
		local, remote := *c.LocalAddr().(*net.TCPAddr), *c.RemoteAddr().(*net.TCPAddr)
		if _, err := mptcp.InspectAddr(&local); err != mptcp.ErrUntracked {
			t.Errorf("copy of the local address alone: %v", err)
		}
		if s, err := mptcp.InspectAddrs(&local, &remote); err != nil || s.State != mptcp.Multipath {
			t.Errorf("copies of both addresses: %v, %v", s, err)
		}
	}
}

func BenchmarkInspectAddr(b *testing.B) {
	for name, mode := range map[string]transport.Mode{"multipath": transport.Require, "fallback": transport.Off} {
		client, _ := tracked(b, mode)
		addr := client.LocalAddr()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mptcp.InspectAddr(addr)
			}
		})
	}
}
