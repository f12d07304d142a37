package pathmanager_test

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// TestConnection is the path manager of a connection, with every command that
// there is, and sees in the subflows, and at the other end, that the kernel
// does as it is told.
func TestConnection(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		name := "IPv4"
		if v6 {
			name = "IPv6"
		}
		t.Run(name, func(t *testing.T) { testConnection(t, v6) })
	}
}

func testConnection(t *testing.T, v6 bool) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	usb := lab.Link(phone, server, mptcptest.LinkConfig{Name: "usb"})
	addr := (*mptcptest.Link).Addr
	if v6 {
		addr = (*mptcptest.Link).Addr6
	}
	phone.Sysctl("net.mptcp.pm_type", 1)
	server.SetLimits(8, 0)
	atPhone, atServer := hear(t, phone), hear(t, server)
	at := netip.AddrPortFrom(addr(wifi, server), 4321)
	l := listenMPTCP(t, server, ":4321")
	if !v6 {
		l.Close()
		l = listenMPTCP(t, server, "0.0.0.0:4321")
	}
	p := connect(t, phone, l, at.String())
	c := dial(t, phone).Connection(p.clientToken)
	known := func(want ...pathmanager.Endpoint) {
		t.Helper()
		got, err := c.Endpoints()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("addresses\n%v, %v, want\n%v", got, err, want)
		}
		for _, want := range want {
			if got, err := c.Endpoint(want.ID); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("address %v, %v, want %v", got, err, want)
			}
		}
	}
	known()

	// A subflow, bound to its interface.
	index := ifIndex(t, phone, "lte")
	must(t, c.CreateSubflow(
		pathmanager.Endpoint{ID: 7, Addr: addr(lte, phone), IfIndex: index},
		pathmanager.Endpoint{Addr: at.Addr(), Port: at.Port()},
	))
	second := atPhone.wait(pathmanager.EventSubflowEstablished, p.clientToken)
	if second.Local.Addr() != addr(lte, phone) || second.LocalID != 7 || second.Remote != at || second.IfIndex != index {
		t.Errorf("created %+v", second)
	}
	atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken)
	wantSubflows(t, p, p.clientEnd, second.Local)
	known(pathmanager.Endpoint{ID: 7, Addr: addr(lte, phone), Flags: pathmanager.Subflow, IfIndex: index})

	// Its priority: see testEvents for the wait.
	settled(t, phone, second.Local, second.Remote)
	for _, backup := range []bool{true, false} {
		must(t, c.SetBackup(second.Local, second.Remote, backup))
		if e := atServer.wait(pathmanager.EventSubflowPriority, p.serverToken); e.Backup != backup ||
			e.Remote.Addr().Unmap() != second.Local.Addr() {
			t.Errorf("priority %+v", e)
		}
		e := pathmanager.Endpoint{ID: 7, Addr: addr(lte, phone), Flags: pathmanager.Subflow, IfIndex: index}
		if backup {
			e.Flags |= pathmanager.Backup
		}
		known(e)
	}

	// A subflow that begins as a backup, from a port, to an announced address.
	server.AddEndpoint(addr(lte, server), mptcptest.Signal)
	announced := atPhone.wait(pathmanager.EventAnnounced, p.clientToken)
	if announced.Remote.Addr() != addr(lte, server) || announced.RemoteID == 0 {
		t.Errorf("announced %+v", announced)
	}
	must(t, c.CreateSubflow(
		pathmanager.Endpoint{ID: 8, Addr: addr(usb, phone), Port: 5432, Flags: pathmanager.Backup},
		pathmanager.Endpoint{ID: announced.RemoteID, Addr: announced.Remote.Addr(), Port: announced.Remote.Port()},
	))
	third := atPhone.wait(pathmanager.EventSubflowEstablished, p.clientToken)
	if third.Local != netip.AddrPortFrom(addr(usb, phone), 5432) || third.RemoteID != announced.RemoteID {
		t.Errorf("created %+v", third)
	}
	if e := atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken); !e.Backup || e.RemoteID != 8 {
		t.Errorf("created, seen by the server %+v", e)
	}
	wantSubflows(t, p, p.clientEnd, second.Local, third.Local)

	// The end of a subflow.
	must(t, c.DestroySubflow(third.Local, third.Remote))
	if e := atServer.wait(pathmanager.EventSubflowClosed, p.serverToken); e.Remote.Port() != 5432 {
		t.Errorf("destroyed %+v", e)
	}
	wantSubflows(t, p, p.clientEnd, second.Local)
	refused(t, "destroying twice", c.DestroySubflow(third.Local, third.Remote), os.ErrNotExist,
		third.Local.String(), third.Remote.String())
	refused(t, "another priority", c.SetBackup(third.Local, third.Remote, true), os.ErrNotExist, third.Local.String())

	// Announcing and removing an address.
	must(t, c.Announce(pathmanager.Endpoint{ID: 20, Addr: addr(usb, phone)}))
	if e := atServer.wait(pathmanager.EventAnnounced, p.serverToken); e.RemoteID != 20 ||
		e.Remote.Addr().Unmap() != addr(usb, phone) {
		t.Errorf("announced %+v", e)
	}
	known(
		pathmanager.Endpoint{ID: 7, Addr: addr(lte, phone), Flags: pathmanager.Subflow, IfIndex: index},
		pathmanager.Endpoint{ID: 20, Addr: addr(usb, phone), Flags: pathmanager.Signal},
	)
	must(t, c.Remove(20))
	if e := atServer.wait(pathmanager.EventRemoved, p.serverToken); e.RemoteID != 20 {
		t.Errorf("removed %+v", e)
	}
	refused(t, "removing twice", c.Remove(20), os.ErrNotExist, "id 20")
	_, err := c.Endpoint(20)
	refused(t, "reading it", err, os.ErrNotExist, "id 20")
	time.Sleep(100 * time.Millisecond) // a server that is still busy with one drops the next: RmAddrDrop
	must(t, c.Remove(7))               // in use: the server closes the subflow
	if e := atServer.wait(pathmanager.EventRemoved, p.serverToken); e.RemoteID != 7 {
		t.Errorf("removed %+v", e)
	}
	wantSubflows(t, p, p.clientEnd)

	// What makes no sense.
	e := pathmanager.Endpoint{ID: 9, Addr: addr(usb, phone)}
	refused(t, "no ID", c.Announce(pathmanager.Endpoint{Addr: e.Addr}), syscall.EINVAL, "no ID")
	refused(t, "no address", c.Announce(pathmanager.Endpoint{ID: 9}), syscall.EINVAL, "no address")
	refused(t, "a zone", c.Announce(pathmanager.Endpoint{ID: 9, Addr: netip.MustParseAddr("fe80::1%usb")}),
		syscall.EINVAL, "fe80::1%usb", "IfIndex")
	refused(t, "no remote", c.CreateSubflow(e, pathmanager.Endpoint{}), syscall.EINVAL, "missing")
	must(t, c.Announce(e))
	e.ID = 10
	refused(t, "another ID", c.Announce(e), syscall.EINVAL, "did not match")
	refused(t, "no such connection", dial(t, phone).Connection(p.clientToken+1).Remove(9), os.ErrNotExist, "has ended")
	refused(t, "kernel's connection", dial(t, server).Connection(p.serverToken).Remove(9), syscall.EINVAL,
		"net.mptcp.path_manager=userspace")
	_, err = dial(t, server).Connection(p.serverToken).Endpoints()
	refused(t, "kernel's addresses", err, syscall.EINVAL, "net.mptcp.path_manager=userspace")
	refused(t, "no client", pathmanager.Connection{}.Remove(9), os.ErrInvalid)

	// The address that the connection began with. It stays until the peer, who
	// has another subflow to go on with, closes it.
	must(t, c.Remove(9))
	time.Sleep(100 * time.Millisecond)
	must(t, c.CreateSubflow(
		pathmanager.Endpoint{ID: 11, Addr: addr(lte, phone)},
		pathmanager.Endpoint{Addr: at.Addr(), Port: at.Port()},
	))
	atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken)
	must(t, c.Remove(0))
	for {
		if e := atServer.wait(pathmanager.EventRemoved, p.serverToken); e.RemoteID == 0 {
			break
		}
	}
}

// TestConnectionDualStack is the path manager of a connection whose socket is
// of IPv6, and whose addresses are of IPv4: what an event says can be said to
// the kernel.
func TestConnectionDualStack(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	server.Sysctl("net.mptcp.pm_type", 1)
	atPhone, atServer := hear(t, phone), hear(t, server)
	l := listenMPTCP(t, server, ":4321")
	p := connect(t, phone, l, netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)
	e := atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken)
	if !e.Remote.Addr().Is4In6() {
		t.Errorf("event %+v", e)
	}
	c := dial(t, server).Connection(p.serverToken)
	settled(t, server, e.Local, e.Remote)
	must(t, c.SetBackup(e.Local, e.Remote, true))
	if e := atPhone.wait(pathmanager.EventSubflowPriority, p.clientToken); !e.Backup {
		t.Errorf("priority %+v", e)
	}
	must(t, c.DestroySubflow(e.Local, e.Remote))
	wantSubflows(t, p, p.clientEnd)
}

// wantSubflows compares the local ends of the client's subflows, once they are
// as many as there should be.
func wantSubflows(t testing.TB, p *pair, want ...netip.AddrPort) {
	t.Helper()
	var got []netip.AddrPort
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = got[:0]
		all, err := mptcp.Subflows(p.client)
		must(t, err)
		for _, s := range all {
			if s.State == mptcp.TCPEstablished {
				got = append(got, s.Local)
			}
		}
		if slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("subflows from %v, want %v", got, want)
}
