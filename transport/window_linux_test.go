package transport

import (
	"context"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/mptcptest"
)

// TestWiden: the watchdog's look makes the receive buffer of a connection larger
// that has read what filled half of it, and waits, and of no other.
func TestWiden(t *testing.T) {
	if err := mptcp.Probe(); err != nil {
		t.Fatal(err)
	}
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{})
	client.Sysctl("net.ipv4.tcp_rmem", "4096 131072 33554432") // more than the kernel reaches by itself here
	// Not by this package, which would look at the connection itself.
	lc := server.ListenConfig()
	lc.SetMultipathTCP(true)
	ln, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(link.Addr(server), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := client.Dialer()
	d.SetMultipathTCP(true)
	connect := func() (c, srv net.Conn, raw syscall.RawConn) {
		t.Helper()
		c, err := d.DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if srv, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { srv.Close() })
		if raw, err = c.(*net.TCPConn).SyscallConn(); err != nil {
			t.Fatal(err)
		}
		return c, srv, raw
	}
	// How much is written before somebody reads is for the moment to decide.
	send := func(c net.Conn, size int) <-chan error {
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(make([]byte, size))
			if err != nil {
				c.Close() // nobody waits for the rest
			}
			sent <- err
		}()
		return sent
	}
	receive := func(c net.Conn, size int, sent <-chan error) {
		t.Helper()
		if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	c, srv, raw := connect()
	const n = 1 << 17
	for _, x := range []struct {
		what     string
		unread   bool
		received uint64 // since the last look, as parts of the buffer's size
		quiet    time.Duration
		want     bool
	}{
		{"a quarter", false, 4, lull, false},
		{"unread", true, 1, lull, false},
		{"without a pause", false, 1, lull - 1, false},
		{"as much as it holds", false, 1, lull, true},
	} {
		size := n
		if x.unread {
			size = 1 << 14 // what does not fit is not written before somebody reads
		}
		sent := send(srv, size)
		if x.unread {
			time.Sleep(5 * lull)
		} else {
			receive(c, size, sent)
		}
		_ = raw.Control(func(fd uintptr) {
			before, _ := sockopt.Mem(int(fd))
			widen(int(fd), uint64(before.ReceiveTo)/x.received, x.quiet)
			after, errno := sockopt.Mem(int(fd))
			if wide := after.ReceiveTo > before.ReceiveTo; wide != x.want || errno != 0 {
				t.Errorf("%s: %+v, then %+v, %v", x.what, before, after, errno)
			}
			if mark, errno := sockopt.GetInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT); mark != 1 || errno != 0 {
				t.Errorf("%s: SO_RCVLOWAT is %d, %v", x.what, mark, errno)
			}
		})
		if x.unread {
			receive(c, size, sent)
		}
	}

	// And so does a look, which knows what has arrived.
	c, srv, raw = connect()
	mem := func() (m sockopt.MemInfo) {
		_ = raw.Control(func(fd uintptr) { m, _ = sockopt.Mem(int(fd)) })
		return m
	}
	receive(c, n, send(srv, n))
	time.Sleep(5 * lull)
	before := mem()
	w := &watch{e: &conntable.Entry{Raw: raw}, received: n - uint64(before.ReceiveTo)} // the difference is what counts
	newSight().look(w)
	if after := mem(); after.ReceiveTo <= before.ReceiveTo {
		t.Errorf("a look: %+v, then %+v", before, after)
	}
}
