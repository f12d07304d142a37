package pathmanager_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// A pair is both ends of one connection.
type pair struct {
	client, server           net.Conn
	clientToken, serverToken uint32
	clientEnd, serverEnd     netip.AddrPort
}

// listenMPTCP listens in a host for Multipath TCP.
func listenMPTCP(t testing.TB, h *mptcptest.Host, address string) net.Listener {
	t.Helper()
	lc := h.ListenConfig()
	lc.SetMultipathTCP(true)
	l, err := lc.Listen(t.Context(), "tcp", address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// connect connects a host to a listener, and has both ends say something, so
// that the connection can have more subflows.
func connect(t testing.TB, h *mptcptest.Host, l net.Listener, to string) *pair {
	t.Helper()
	d := h.Dialer()
	d.SetMultipathTCP(true)
	client, err := d.DialContext(t.Context(), "tcp", to)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	_, err = client.Write([]byte("ping"))
	must(t, err)
	server, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { server.Close() })
	b := make([]byte, 4)
	_, err = io.ReadFull(server, b)
	must(t, err)
	_, err = server.Write(b)
	must(t, err)
	_, err = io.ReadFull(client, b)
	must(t, err)
	p := &pair{client: client, server: server}
	for _, end := range []struct {
		c     net.Conn
		token *uint32
		addr  *netip.AddrPort
	}{{client, &p.clientToken, &p.clientEnd}, {server, &p.serverToken, &p.serverEnd}} {
		s, err := mptcp.Inspect(end.c)
		must(t, err)
		if s.State != mptcp.Multipath {
			t.Fatal(s)
		}
		*end.token = s.Token
		*end.addr = end.c.LocalAddr().(*net.TCPAddr).AddrPort()
	}
	return p
}

// TestEvents has every kind of event happen, and compares every attribute of
// each.
func TestEvents(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		name := "IPv4"
		if v6 {
			name = "IPv6"
		}
		t.Run(name, func(t *testing.T) { testEvents(t, v6) })
	}
}

func testEvents(t *testing.T, v6 bool) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	addr := (*mptcptest.Link).Addr
	if v6 {
		addr = (*mptcptest.Link).Addr6
		// An IPv6 address with a port needs the room of the timestamps.
		server.Sysctl("net.ipv4.tcp_timestamps", 0)
	}
	phonePM, serverPM := dial(t, phone), dial(t, server)
	atPhone, atServer := hear(t, phone), hear(t, server)

	// A listener. It is of one family, so that addresses are as expected.
	at := netip.AddrPortFrom(addr(wifi, server), 4321)
	l := listenMPTCP(t, server, at.String())
	atServer.want(pathmanager.Event{Type: pathmanager.EventListenerCreated, Local: at})

	// A connection.
	p := connect(t, phone, l, at.String())
	for _, typ := range []pathmanager.EventType{pathmanager.EventCreated, pathmanager.EventEstablished} {
		atPhone.want(pathmanager.Event{
			Type: typ, Token: p.clientToken, Local: p.clientEnd, Remote: p.serverEnd,
		})
		atServer.want(pathmanager.Event{
			Type: typ, Token: p.serverToken, Local: p.serverEnd, Remote: p.clientEnd,
			Flags: pathmanager.ServerSide,
		})
	}

	// Another subflow, a backup, bound to its interface.
	index := ifIndex(t, phone, "lte")
	second := pathmanager.Endpoint{ID: 7, Addr: addr(lte, phone), Flags: pathmanager.Subflow | pathmanager.Backup, IfIndex: index}
	must(t, phonePM.AddEndpoint(second))
	here := atPhone.wait(pathmanager.EventSubflowEstablished, p.clientToken)
	onLTE := here.Local
	want := pathmanager.Event{
		Type: pathmanager.EventSubflowEstablished, Token: p.clientToken, Local: onLTE, Remote: p.serverEnd,
		LocalID: 7, IfIndex: index, // Backup is what the other end has asked for
	}
	if !reflect.DeepEqual(here, want) || onLTE.Addr() != second.Addr {
		t.Errorf("event\n%+v, want\n%+v", here, want)
	}
	there := pathmanager.Event{
		Type: pathmanager.EventSubflowEstablished, Token: p.serverToken, Local: p.serverEnd, Remote: onLTE,
		RemoteID: 7, Backup: true,
	}
	atServer.want(there)

	// Its priority. Who changes it hears nothing. Linux sends it once, and not at
	// all if it has not seen that the other end thinks the subflow established.
	settled(t, phone, onLTE, p.serverEnd)
	must(t, phonePM.SetFlags(pathmanager.Endpoint{ID: 7}))
	there.Type, there.Backup = pathmanager.EventSubflowPriority, false
	atServer.want(there)
	must(t, phonePM.SetFlags(pathmanager.Endpoint{ID: 7, Flags: pathmanager.Backup}))
	there.Backup = true
	atServer.want(there)

	// Another address of the server, with and without a port of its own.
	third := pathmanager.Endpoint{ID: 9, Addr: addr(lte, server), Flags: pathmanager.Signal}
	must(t, serverPM.AddEndpoint(third))
	atPhone.want(pathmanager.Event{
		Type: pathmanager.EventAnnounced, Token: p.clientToken, RemoteID: 9,
		Remote: netip.AddrPortFrom(third.Addr, at.Port()),
	})
	must(t, serverPM.DeleteEndpoint(third))
	atPhone.want(pathmanager.Event{Type: pathmanager.EventRemoved, Token: p.clientToken, RemoteID: 9})
	third.ID, third.Port = 10, 8080
	must(t, serverPM.AddEndpoint(third))
	listener := pathmanager.Event{Type: pathmanager.EventListenerCreated, Local: netip.AddrPortFrom(third.Addr, 8080)}
	atServer.want(listener)
	atPhone.want(pathmanager.Event{
		Type: pathmanager.EventAnnounced, Token: p.clientToken, RemoteID: 10, Remote: listener.Local,
	})
	must(t, serverPM.DeleteEndpoint(third))
	listener.Type = pathmanager.EventListenerClosed
	atServer.want(listener)
	atPhone.want(pathmanager.Event{Type: pathmanager.EventRemoved, Token: p.clientToken, RemoteID: 10})

	// The end of the subflow, of the connection and of the listener.
	must(t, phonePM.DeleteEndpoint(second))
	want.Type = pathmanager.EventSubflowClosed
	atPhone.want(want)
	there.Type = pathmanager.EventSubflowClosed
	atServer.want(there)
	p.client.Close()
	p.server.Close()
	for _, side := range []struct {
		*ear
		token uint32
	}{{atPhone, p.clientToken}, {atServer, p.serverToken}} {
		side.want(pathmanager.Event{Type: pathmanager.EventClosed, Token: side.token})
	}
	l.Close()
	atServer.want(pathmanager.Event{Type: pathmanager.EventListenerClosed, Local: at})
}

// TestEventOfReset has subflows end in every way that says why.
func TestEventOfReset(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Rate: 20 * mptcptest.Mbit})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Rate: 20 * mptcptest.Mbit})
	phone.Sysctl("net.mptcp.checksum_enabled", 1)
	atPhone, atServer := hear(t, phone), hear(t, server)
	phonePM := dial(t, phone)
	at := netip.AddrPortFrom(wifi.Addr(server), 4321)
	l := listenMPTCP(t, server, at.String())
	second := pathmanager.Endpoint{ID: 7, Addr: lte.Addr(phone), Flags: pathmanager.Subflow}

	// during ends the second subflow of a connection that is in use, and
	// returns what the phone hears. The server, when it resets a subflow for
	// what it has received, hears nothing.
	during := func(f mptcptest.Fault) pathmanager.Event {
		t.Helper()
		p := connect(t, phone, l, at.String())
		must(t, phonePM.AddEndpoint(second))
		atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken)
		var talk sync.WaitGroup
		talk.Go(func() {
			for b := make([]byte, 64<<10); ; {
				if _, err := p.client.Write(b); err != nil {
					return
				}
			}
		})
		talk.Go(func() { io.Copy(io.Discard, p.server) })
		time.Sleep(200 * time.Millisecond)
		heal := lte.From(phone).Inject(f)
		e := atPhone.wait(pathmanager.EventSubflowClosed, p.clientToken)
		heal()
		p.client.Close()
		p.server.Close()
		talk.Wait()
		must(t, phonePM.DeleteEndpoint(second))
		if e.Local.Addr() != second.Addr || e.LocalID != 7 || len(e.Unknown) != 0 {
			t.Errorf("%+v", e)
		}
		return e
	}

	// A middlebox changes data, and whose checksum fails resets the subflow.
	here := during(mptcptest.RewritePayload(func(b []byte) { b[0] ^= 1 }))
	if here.Errno != syscall.ECONNRESET || here.Reset == nil || *here.Reset != (pathmanager.Reset{Reason: pathmanager.ResetMiddlebox}) {
		t.Errorf("rewritten: %+v, %+v", here, here.Reset)
	}

	// A middlebox resets the subflow without saying why.
	here = during(mptcptest.ResetAll())
	if here.Errno != syscall.ECONNRESET || here.Reset != nil {
		t.Errorf("reset: %+v, %+v", here, here.Reset)
	}

	// The server has no room for another subflow: it never was established.
	server.SetLimits(0, 0)
	p := connect(t, phone, l, at.String())
	must(t, phonePM.AddEndpoint(second))
	if e := atPhone.wait(pathmanager.EventSubflowClosed, p.clientToken); e.Local.Addr() != second.Addr || e.LocalID != 7 {
		t.Errorf("refused: %+v", e)
	}
}

// TestEventFlags has a server forbid subflows to the address that it was
// reached at.
func TestEventFlags(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	server.Sysctl("net.mptcp.allow_join_initial_addr_port", 0)
	e := hear(t, phone)
	l := listenMPTCP(t, server, ":4321")
	p := connect(t, phone, l, netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	if got := e.wait(pathmanager.EventCreated, p.clientToken); got.Flags != pathmanager.DenyJoinID0 {
		t.Errorf("flags %v", got.Flags)
	}
}

// TestEventOfDualStack: to an IPv6 socket, an IPv4 address is an IPv6 address.
func TestEventOfDualStack(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	e := hear(t, server)
	l := listenMPTCP(t, server, ":4321")
	p := connect(t, phone, l, netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	got := e.wait(pathmanager.EventCreated, p.serverToken)
	if !got.Remote.Addr().Is4In6() || got.Remote.Addr().Unmap() != wifi.Addr(phone) {
		t.Errorf("event %+v", got)
	}
	if s := got.String(); strings.Contains(s, "ffff") || !strings.Contains(s, p.clientEnd.String()) {
		t.Errorf("written %q", s)
	}
}

// TestEventOfFallback: a connection that falls back to TCP in the handshake
// has an end, but no beginning.
func TestEventOfFallback(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	e := hear(t, phone)
	lc := server.ListenConfig()
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp", netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	must(t, err)
	defer l.Close()
	d := phone.Dialer()
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", l.Addr().String())
	must(t, err)
	c.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		e.mu.Lock()
		heard := e.heard
		e.mu.Unlock()
		if len(heard) > 0 {
			if heard[0].Type != pathmanager.EventClosed || heard[0].Token == 0 {
				t.Errorf("event %v", heard[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no event")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestEventsEnd ends iterators in every way, and sees that nothing is left.
func TestEventsEnd(t *testing.T) {
	h := mptcptest.New(t).Host("h")
	c := dial(t, h)
	checkLeaks(t)
	for range 20 {
		// By the context, before the loop, and while it waits.
		ctx, cancel := context.WithCancel(t.Context())
		events, err := c.Events(ctx)
		must(t, err)
		cancel()
		for e, err := range events {
			t.Error(e, err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond) // a slow machine takes some to subscribe
		events, err = c.Events(ctx)
		must(t, err)
		for e, err := range events {
			t.Error(e, err)
		}
		cancel()
		_, err = c.Events(ctx)
		refused(t, "an ended context", err, context.DeadlineExceeded)

		// Without a loop.
		ctx, cancel = context.WithCancel(t.Context())
		_, err = c.Events(ctx)
		must(t, err)
		cancel()

		// By the loop.
		events, err = c.Events(context.Background())
		must(t, err)
		l := listenMPTCP(t, h, "127.0.0.1:0")
		for _, err := range events {
			must(t, err)
			break
		}
		l.Close()
		steps := 0
		for _, err := range events {
			if steps++; err == nil {
				t.Error("the iterator was used twice")
			}
		}
		if steps != 1 {
			t.Errorf("%d steps", steps)
		}
	}
	// An iterator does not need the client.
	events, err := c.Events(t.Context())
	must(t, err)
	must(t, c.Close())
	l := listenMPTCP(t, h, "127.0.0.1:0")
	defer l.Close()
	for e, err := range events {
		if err != nil || e.Type != pathmanager.EventListenerCreated {
			t.Error(e, err)
		}
		break
	}
}
