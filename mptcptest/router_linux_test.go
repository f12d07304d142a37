package mptcptest_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// TestRouters has a phone reach the one address of a server by two ways, one of
// them over two routers.
func TestRouters(t *testing.T) {
	forFamilies(t, func(t *testing.T, v6 bool) {
		lab := mptcptest.New(t)
		phone, server := lab.Host("phone"), lab.Host("server")
		home, mobile, core := lab.Router("home"), lab.Router("mobile"), lab.Router("core")
		wifi := lab.Link(phone, home, mptcptest.LinkConfig{Name: "wifi"})
		lte := lab.Link(phone, mobile, mptcptest.LinkConfig{Name: "lte"})
		lab.Link(home, core, mptcptest.LinkConfig{Name: "dsl"})
		lab.Link(mobile, core, mptcptest.LinkConfig{Name: "backhaul"})
		rack := lab.Link(core, server, mptcptest.LinkConfig{Name: "rack", Kernel: true})

		addr, first, second := rack.Addr(server), wifi.Addr(phone), lte.Addr(phone)
		if v6 {
			addr, first, second = rack.Addr6(server), wifi.Addr6(phone), lte.Addr6(phone)
		}
		phone.AddEndpoint(second, mptcptest.Subflow)
		l := server.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		accepted := make(chan net.Conn, 8)
		go echo(l, accepted)
		c := dial(t, phone, l.Addr().String())
		if got := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != first {
			t.Errorf("connected from %v", got)
		}
		exchange(t, c, "hello")
		if !eventually(func() bool { return server.Counters()["MPJoinAckRx"] == 1 }) {
			t.Fatal("no second subflow")
		}
		wifi.CutAt(phone)
		exchange(t, c, "still there?")
		d := dial(t, phone, l.Addr().String())
		if got := d.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != second {
			t.Errorf("without wifi, connected from %v", got)
		}
		exchange(t, d, "hello")
		wifi.Restore()
		lte.Inject(mptcptest.DropAll())
		e := dial(t, phone, l.Addr().String())
		if got := e.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != first {
			t.Errorf("with wifi again, connected from %v", got)
		}
		e.SetDeadline(time.Now().Add(5 * time.Second))
		exchange(t, e, "hello")
	})
}
