package pages

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestCommands runs what the pages tell to type, each page on a host of its own
// on which the user is root.
func TestCommands(t *testing.T) {
	lab := mptcptest.New(t)
	n := 0
	for _, title := range titles {
		var host *mptcptest.Host
		for _, block := range blocks(page(t, title), "sh") {
			if host == nil {
				host = lab.Host(strings.TrimSuffix(title, ".md"))
			}
			for _, command := range lines(block) {
				n++
				if out, err := host.Command("sh", "-c", command).CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", title, command, err, out)
				}
			}
		}
	}
	if n < 5 {
		t.Errorf("%d commands were found", n)
	}
}

// TestJoinElsewhere: a server that forbids joins at the address that clients
// dial and announces another one gets its subflows there, as
// load-balancers.md has it, and without the announcement gets none.
func TestJoinElsewhere(t *testing.T) {
	for _, announce := range []string{"", "signal", "signal port 10007"} {
		t.Run("announced by "+announce, func(t *testing.T) {
			t.Parallel()
			lab := mptcptest.New(t)
			client, server := lab.Host("client"), lab.Host("server")
			shared := lab.Link(client, server, mptcptest.LinkConfig{Name: "shared"})
			own := lab.Link(client, server, mptcptest.LinkConfig{Name: "own"})
			server.Sysctl("net.mptcp.allow_join_initial_addr_port", 0)
			client.SetLimits(2, 2)
			want := []netip.AddrPort{netip.AddrPortFrom(shared.Addr(server), 80)}
			switch announce {
			case "":
				client.AddEndpoint(own.Addr(client), mptcptest.Subflow) // it would join, if it were allowed to
			case "signal":
				want = append(want, netip.AddrPortFrom(own.Addr(server), 80))
			default:
				want = append(want, netip.AddrPortFrom(own.Addr(server), 10007))
			}
			if announce != "" {
				command := "ip mptcp endpoint add " + own.Addr(server).String() + " " + announce
				if out, err := server.Command("sh", "-c", command).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			c := connect(t, client, server, shared)
			var remotes []netip.AddrPort
			for start := time.Now(); time.Since(start) < 5*time.Second; time.Sleep(50 * time.Millisecond) {
				subflows, err := mptcp.Subflows(c)
				check(t, err)
				remotes = nil
				for _, s := range subflows {
					remotes = append(remotes, s.Remote)
				}
				if announce != "" && len(remotes) == len(want) || announce == "" && time.Since(start) > time.Second {
					break
				}
			}
			if !slices.Equal(remotes, want) {
				t.Errorf("subflows to %v, want %v", remotes, want)
			}
		})
	}
}

// connect returns the client's end of a connection that has carried data.
func connect(t *testing.T, client, server *mptcptest.Host, link *mptcptest.Link) net.Conn {
	t.Helper()
	ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", ":80")
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	d := &transport.Dialer{NetDialer: client.Dialer(), Memory: new(transport.Memory)}
	c, err := d.Dial("tcp", link.Addr(server).String()+":80")
	check(t, err)
	s, err := ln.Accept()
	check(t, err)
	t.Cleanup(func() { c.Close(); s.Close() })
	exchange(t, c, s)
	return c
}

// TestWrongServer: a subflow that reaches a host that does not know the
// connection is refused, and the connection goes on.
func TestWrongServer(t *testing.T) {
	lab := mptcptest.New(t)
	client, right, wrong := lab.Host("client"), lab.Host("right"), lab.Host("wrong")
	first := lab.Link(client, right, mptcptest.LinkConfig{Name: "first"})
	second := lab.Link(client, wrong, mptcptest.LinkConfig{Name: "second"})
	// What the second path leads to has the address that the first one has, as
	// servers behind one balancer do.
	out, err := wrong.Command("sh", "-c", "ip address add "+first.Addr(right).String()+"/32 dev lo").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	other, err := (&transport.ListenConfig{NetListenConfig: wrong.ListenConfig()}).Listen(t.Context(), "tcp", ":80")
	check(t, err)
	defer other.Close()
	client.AddEndpoint(second.Addr(client), mptcptest.Subflow)
	before := wrong.Counters()
	c := connect(t, client, right, first)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if wrong.Counters().Sub(before)["MPJoinNoTokenFound"] > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no join has come: %v", wrong.Counters().Sub(before))
		}
	}
	time.Sleep(100 * time.Millisecond)
	if s, err := mptcp.Inspect(c); err != nil || s.State != mptcp.Multipath {
		t.Errorf("%v, %v", s, err)
	}
	subflows, err := mptcp.Subflows(c)
	check(t, err)
	if len(subflows) != 1 {
		t.Errorf("%+v", subflows)
	}
}
