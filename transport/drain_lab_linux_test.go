package transport_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestDrain: after the listener is closed, a second path can join a connection
// only if there is still somebody who listens: the drained listener itself, or
// one that has taken over.
func TestDrain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(t *testing.T, l *transport.Listener) // what is done before Close
		joins bool
	}{
		{"closed", func(*testing.T, *transport.Listener) {}, false},
		{"drained", func(t *testing.T, l *transport.Listener) {
			if err := l.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"handed over", func(t *testing.T, l *transport.Listener) {
			f, err := l.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			inherited, err := net.FileListener(f)
			if err != nil {
				t.Fatal(err)
			}
			successor, err := new(transport.ListenConfig).Adopt(inherited)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { successor.Close() })
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := mptcptest.New(t)
			client, server := lab.Host("client"), lab.Host("server")
			first := lab.Link(client, server, mptcptest.LinkConfig{Name: "first"})
			second := lab.Link(client, server, mptcptest.LinkConfig{Name: "second"})
			client.SetLimits(2, 2)
			server.SetLimits(2, 2)
			ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", ":0")
			if err != nil {
				t.Fatal(err)
			}
			address := netip.AddrPortFrom(first.Addr(server), netip.MustParseAddrPort(ln.Addr().String()).Port()).String()
			dialer := transport.Dialer{NetDialer: client.Dialer(), Memory: new(transport.Memory)}
			c, err := dialer.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			srv, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			confirmed(t, c, srv)

			tt.leave(t, ln.(*transport.Listener))
			ln.Close()
			if c, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close, Accept returns %v, %v", c, err)
			}
			client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
			joined := false
			for end := time.Now().Add(time.Second); !joined && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				list, err := mptcp.Subflows(srv)
				if err != nil {
					t.Fatal(err)
				}
				joined = len(list) == 2
			}
			if joined != tt.joins {
				t.Errorf("joined: %v, want %v", joined, tt.joins)
			}
			if tt.name == "handed over" {
				return
			}

			// Nobody is served any more.
			if c, err := dialer.Dial("tcp", address); err == nil {
				c.SetReadDeadline(time.Now().Add(5 * time.Second))
				if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a new connection is served: %v", err)
				}
				c.Close()
			}
			// And when the last connection has gone, the port is free.
			srv.Close()
			c.Close()
			var again net.Listener
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if again, err = server.ListenConfig().Listen(t.Context(), "tcp", ln.Addr().String()); err == nil {
					again.Close()
					return
				}
				if time.Now().After(end) {
					t.Fatal(err)
				}
			}
		})
	}
}
