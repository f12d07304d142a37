package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/kernels/wire"
	"github.com/multipath-go/mptcp/internal/recorded"
	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/transport"
)

// What is sent each way before an end is asked.
const (
	requestSize  = recorded.Sent
	responseSize = recorded.Received
)

// A pair is a connection over loopback, with both its ends. The listener is
// there as long, for further subflows.
type pair struct {
	client, server net.Conn
	listener       net.Listener
}

// connect makes a pair, by package transport unless plain.
func connect(plain bool) (*pair, error) {
	mode := transport.Prefer
	if plain {
		mode = transport.Off
	}
	return connectTo(transport.ListenConfig{}, mode)
}

func connectTo(lc transport.ListenConfig, mode transport.Mode) (*pair, error) {
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &transport.Dialer{Mode: mode, Memory: new(transport.Memory)}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		l.Close()
		return nil, err
	}
	s, err := l.Accept()
	if err != nil {
		c.Close()
		l.Close()
		return nil, err
	}
	return &pair{c, s, l}, nil
}

func (p *pair) close() {
	p.client.Close()
	p.server.Close()
	p.listener.Close()
}

// exchange sends data both ways, and waits until everything is acknowledged.
func (p *pair) exchange() error {
	if err := send(p.client, p.server, requestSize); err != nil {
		return err
	}
	if err := send(p.server, p.client, responseSize); err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond)
	return nil
}

func send(from, to net.Conn, n int) error {
	if _, err := from.Write(make([]byte, n)); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, to, int64(n))
	return err
}

// connections asks about connections over loopback.
func connections(f *wire.Facts) error {
	p, err := connect(false)
	if err != nil {
		return err
	}
	defer p.close()
	f.Client.Early, f.Server.Early = status(p.client), status(p.server)
	if err := p.exchange(); err != nil {
		return err
	}
	inspect(&f.Client, p.client, requestSize, responseSize)
	inspect(&f.Server, p.server, responseSize, requestSize)
	f.InfoSize = infoSize(p.client)
	f.Options = options(p.client)

	plain, err := connect(true)
	if err != nil {
		return err
	}
	defer plain.close()
	f.Plain.Early = status(plain.server)
	if err := plain.exchange(); err != nil {
		return err
	}
	inspect(&f.Plain, plain.server, responseSize, requestSize)
	return checksum(f)
}

// status is what is said of a connection.
func status(c net.Conn) string {
	s, err := mptcp.Inspect(c)
	if err != nil {
		return "error: " + err.Error()
	}
	return s.String()
}

// inspect asks everything of one end, over which so many bytes have gone, and
// holds what is told against it.
func inspect(e *wire.End, c net.Conn, sent, received uint64) {
	e.Status = status(c)
	s, err := mptcp.Inspect(c)
	if err != nil {
		return
	}
	wrong := func(what string, told bool, format string, args ...any) {
		e.Wrong = append(e.Wrong, fmt.Sprintf("%s, told %v: ", what, told)+fmt.Sprintf(format, args...))
	}
	e.Confirmed, e.Token = s.Confirmed, s.Token != 0
	var out, in, acked uint64
	if out, in, e.Bytes = s.Bytes(); e.Bytes && (out != sent || in != received) || !e.Bytes && out+in != 0 {
		wrong("bytes", e.Bytes, "%d sent, %d received, not %d and %d", out, in, sent, received)
	}
	if acked, e.Acked = s.Acked(); e.Acked && acked != sent || !e.Acked && acked != 0 {
		wrong("acked", e.Acked, "%d, not %d", acked, sent)
	}
	var timeouts uint32
	if timeouts, acked, e.Retransmits = s.Retransmits(); timeouts != 0 || acked != 0 {
		wrong("retransmits", e.Retransmits, "%d timeouts, %d bytes over loopback", timeouts, acked)
	}
	n := 0
	if n, e.Subflows = s.Subflows(); e.Subflows && n != 1 || !e.Subflows && n != 0 {
		wrong("subflows", e.Subflows, "%d, not 1", n)
	}
	var idle [3]time.Duration
	idle[0], idle[1], idle[2], e.Idle = s.Idle()
	for _, d := range idle {
		// Both ways were quiet for the pause at the end of exchange.
		if e.Idle && (d < 90*time.Millisecond || d > 10*time.Second) || !e.Idle && d != 0 {
			wrong("idle", e.Idle, "%v", idle)
		}
	}
	list, err := mptcp.Subflows(c)
	e.ListError, e.List = said(err), len(list)
	for _, s := range list {
		e.IDs = s.ID != 0
		if s.Local != addrPort(c.LocalAddr()) || s.Remote != addrPort(c.RemoteAddr()) || s.State != mptcp.TCPEstablished {
			wrong("list", true, "%v to %v, %v: not %v to %v", s.Local, s.Remote, s.State, c.LocalAddr(), c.RemoteAddr())
		}
		if s.BytesReceived != received || s.BytesAcked < sent || s.RTT <= 0 || s.MSS == 0 {
			wrong("list", true, "%+v", s)
		}
	}
}

// infoSize is the size of the kernel's struct mptcp_info.
func infoSize(c net.Conn) int {
	n, _ := sockopt.Control(raw(c), func(fd int) (int, error) {
		var b [1024]byte
		n, errno := sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, b[:])
		if errno != 0 {
			return 0, errno
		}
		return n, nil
	})
	return n
}

// options tries to set options of a connection.
func options(c net.Conn) []wire.Answer {
	var list []wire.Answer
	for _, o := range []struct {
		name              string
		level, opt, value int
	}{
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 60},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 1 << 20},
		{"TCP_MAXSEG", unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1000},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 10000},
	} {
		_, err := sockopt.Control(raw(c), func(fd int) (struct{}, error) {
			return struct{}{}, unix.SetsockoptInt(fd, o.level, o.opt, o.value)
		})
		list = append(list, wire.Answer{Name: o.name, Error: said(err)})
	}
	return list
}

// checksum asks about connections with Multipath TCP's own checksum.
func checksum(f *wire.Facts) error {
	const name = "/proc/sys/net/mptcp/checksum_enabled"
	err := os.WriteFile(name, []byte("1"), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer os.WriteFile(name, []byte("0"), 0) //nolint:errcheck // what follows does not depend on it
	p, err := connect(false)
	if err != nil {
		return err
	}
	defer p.close()
	for e, c := range map[*wire.End]net.Conn{&f.Client: p.client, &f.Server: p.server} {
		s, err := mptcp.Inspect(c)
		if err != nil {
			return err
		}
		e.Checksum = s.Checksum
	}
	return nil
}

// sysctls lists the names of those of Multipath TCP.
func sysctls() []string {
	files, _ := filepath.Glob("/proc/sys/net/mptcp/*") // the pattern is valid
	for i, name := range files {
		files[i] = filepath.Base(name)
	}
	return files
}
