package mptcptest_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

// pair is a client and a server on one link.
type pair struct {
	lab            *mptcptest.Network
	client, server *mptcptest.Host
	link           *mptcptest.Link
	address        string
	accepted       chan net.Conn
}

func newPair(t *testing.T, v6 bool) *pair {
	p := &pair{lab: mptcptest.New(t), accepted: make(chan net.Conn, 4)}
	p.client, p.server = p.lab.Host("client"), p.lab.Host("server")
	p.link = p.lab.Link(p.client, p.server, mptcptest.LinkConfig{})
	addr := p.link.Addr(p.server)
	if v6 {
		addr = p.link.Addr6(p.server)
	}
	l := p.server.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	p.address = l.Addr().String()
	go echo(l, p.accepted)
	return p
}

func forFamilies(t *testing.T, f func(t *testing.T, v6 bool)) {
	t.Run("IPv4", func(t *testing.T) { f(t, false) })
	t.Run("IPv6", func(t *testing.T) { f(t, true) })
}

// TestHandshakeFaults pins what the kernel answers to each fault that exists
// before the connection does.
func TestHandshakeFaults(t *testing.T) {
	both := func(p *pair, f mptcptest.Fault) { p.link.Inject(f) }
	up := func(p *pair, f mptcptest.Fault) { p.link.From(p.client).Inject(f) }
	down := func(p *pair, f mptcptest.Fault) { p.link.From(p.server).Inject(f) }
	for _, tt := range []struct {
		name           string
		fault          mptcptest.Fault
		inject         func(*pair, mptcptest.Fault)
		connected      status // client, right after connect
		client, server status // after data
		clientMIB      []string
		serverMIB      []string
	}{
		{"none", mptcptest.DropIf("nothing", func(*mptcptest.Packet) bool { return false }), both, multipath, multipath, multipath,
			[]string{"MPCapableSYNTX", "MPCapableSYNACKRX"}, []string{"MPCapableSYNRX", "MPCapableACKRX"}},
		{"strip SYN", mptcptest.StripMPTCP(mptcptest.OnSYN), both, fallback, fallback, plainTCP,
			[]string{"MPCapableFallbackSYNACK"}, nil},
		{"strip SYNACK", mptcptest.StripMPTCP(mptcptest.OnSYNACK), both, fallback, fallback, plainTCP,
			[]string{"MPCapableFallbackSYNACK"}, []string{"MPCapableSYNRX", "MPCapableFallbackACK"}},
		{"strip third ACK", mptcptest.StripMPTCP(mptcptest.OnThirdACK), both, multipath, fallback, plainTCP,
			[]string{"MPCapableSYNACKRX", "MPCapableDataFallback"}, []string{"MPCapableFallbackACK"}},
		{"strip later from client", mptcptest.StripMPTCP(mptcptest.AfterSYN), up, multipath, fallback, plainTCP,
			[]string{"MPCapableDataFallback"}, []string{"MPCapableFallbackACK"}},
		{"strip later from server", mptcptest.StripMPTCP(mptcptest.AfterSYN), down, multipath, fallback, multipath,
			[]string{"MPCapableDataFallback"}, nil},
		{"strip later", mptcptest.StripMPTCP(mptcptest.AfterSYN), both, multipath, fallback, plainTCP,
			[]string{"MPCapableDataFallback"}, []string{"MPCapableFallbackACK"}},
		{"drop SYN", mptcptest.DropMPTCPSYN(), both, fallback, fallback, plainTCP,
			[]string{"MPCapableSYNTXDrop", "Blackhole"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forFamilies(t, func(t *testing.T, v6 bool) {
				p := newPair(t, v6)
				tt.inject(p, tt.fault)
				c := dial(t, p.client, p.address)
				if got := statusOf(t, c); got != tt.connected {
					t.Errorf("client after connect: %v, want %v", got, tt.connected)
				}
				exchange(t, c, "hello")
				if got := statusOf(t, c); got != tt.client {
					t.Errorf("client after data: %v, want %v", got, tt.client)
				}
				if got := statusOf(t, <-p.accepted); got != tt.server {
					t.Errorf("server after data: %v, want %v", got, tt.server)
				}
				wantCounters(t, p.client, tt.clientMIB)
				wantCounters(t, p.server, tt.serverMIB)
			})
		})
	}
}

func wantCounters(t *testing.T, h *mptcptest.Host, names []string) {
	t.Helper()
	c := h.Counters()
	for _, n := range names {
		if c[n] == 0 {
			t.Errorf("%s: %s did not move: %v", h, n, c.Sub(mptcp.Counters{}))
		}
	}
}

func TestReset(t *testing.T) {
	forFamilies(t, func(t *testing.T, v6 bool) {
		p := newPair(t, v6)
		p.link.Inject(mptcptest.ResetMPTCPSYN())
		// Package net tries a second time, with TCP.
		c := dial(t, p.client, p.address)
		if got := statusOf(t, c); got != plainTCP {
			t.Errorf("client %v", got)
		}
		exchange(t, c, "hello")
		p.link.Inject(mptcptest.ResetAll())
		_, err := p.client.DialContext(context.Background(), "tcp", p.address)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
	})
}

func TestDropSYNACK(t *testing.T) {
	p := newPair(t, false)
	p.link.Inject(mptcptest.DropMPTCPSYNACK())
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	d := mptcpDialer(p.client)
	if c, err := d.DialContext(ctx, "tcp", p.address); err == nil {
		t.Errorf("connected: %v", statusOf(t, c))
	}
	if c, err := p.client.DialContext(context.Background(), "tcp", p.address); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	wantCounters(t, p.server, []string{"MPCapableSYNRX"})
}

func TestMidConnection(t *testing.T) {
	forFamilies(t, func(t *testing.T, v6 bool) {
		p := newPair(t, v6)
		c := dial(t, p.client, p.address)
		exchange(t, c, "hello")
		s := <-p.accepted
		heal := p.link.Inject(mptcptest.StripMPTCP(mptcptest.OnLater))
		exchange(t, c, "hello")
		exchange(t, c, "hello")
		heal()
		if got := statusOf(t, c); got != fallback {
			t.Errorf("client %v", got)
		}
		if got := statusOf(t, s); got != fallback {
			t.Errorf("server %v", got)
		}
		wantCounters(t, p.client, []string{"DssFallback"})
	})
}

func TestRewrite(t *testing.T) {
	for _, checksum := range []bool{false, true} {
		p := newPair(t, false)
		if checksum {
			p.client.Sysctl("net.mptcp.checksum_enabled", 1)
		}
		c := dial(t, p.client, p.address)
		exchange(t, c, "hello")
		heal := p.link.From(p.client).Inject(mptcptest.RewritePayload(func(b []byte) {
			copy(b, bytes.ReplaceAll(b, []byte("secret"), []byte("public")))
		}))
		c.Write([]byte("secret"))
		b := make([]byte, 16)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != "public" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		heal()
		exchange(t, c, "hello")
		want := multipath
		if checksum {
			want = fallback
			wantCounters(t, p.server, []string{"DataCsumErr"})
		}
		if got := statusOf(t, c); got != want {
			t.Errorf("checksum %v: client %v, want %v", checksum, got, want)
		}
	}
}

func TestDropNth(t *testing.T) {
	p := newPair(t, false)
	c := dial(t, p.client, p.address)
	exchange(t, c, "hello")
	before := p.link.From(p.client).Stats().Dropped
	p.link.From(p.client).Inject(mptcptest.DropNth(2, func(p *mptcptest.Packet) bool { return len(p.Payload()) > 0 }))
	for range 4 {
		exchange(t, c, "hello")
	}
	if n := p.link.From(p.client).Stats().Dropped - before; n != 1 {
		t.Errorf("%d packets lost", n)
	}
}

func TestSysctlOff(t *testing.T) {
	p := newPair(t, false)
	p.client.Sysctl("net.mptcp.enabled", 0)
	if got := p.client.ReadSysctl("net.mptcp.enabled"); got != "0" {
		t.Errorf("net.mptcp.enabled = %s", got)
	}
	if got := p.server.ReadSysctl("net.mptcp.enabled"); got != "1" {
		t.Errorf("on the server: net.mptcp.enabled = %s", got)
	}
	if got := statusOf(t, dial(t, p.client, p.address)); got != plainTCP {
		t.Errorf("client %v", got)
	}
}
