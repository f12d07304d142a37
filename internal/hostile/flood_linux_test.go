package hostile

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// dial connects by Multipath TCP as package net does, as an attacker may.
func dial(address netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience}
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", address.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// hold is how long a client keeps a server that it does not answer.
const hold = time.Second

// stay does nothing while the server waits for it.
func stay(net.Conn) { time.Sleep(hold) }

// listen says that nothing comes any more, and reads what the server has to say.
func listen(c *net.TCPConn) {
	c.CloseWrite()
	io.Copy(io.Discard, c)
}

// An attack is what many clients do, each with a connection of its own.
type attack struct {
	name  string
	n     int  // clients of each server
	keeps bool // each call is kept for as long as the client stays

	do func(*net.TCPConn, int)
	on []func(*victim) netip.AddrPort
}

func ofGRPC(v *victim) netip.AddrPort  { return v.grpc }
func ofHTTP(v *victim) netip.AddrPort  { return v.http }
func ofHTTPS(v *victim) netip.AddrPort { return v.https }

type servers = []func(*victim) netip.AddrPort

var everybody = servers{ofGRPC, ofHTTP, ofHTTPS}

var attacks = []attack{
	{name: "connects and resets", n: 1000, on: everybody, do: func(c *net.TCPConn, _ int) { c.SetLinger(0) }},
	{name: "connects and leaves", n: 1000, on: everybody, do: func(*net.TCPConn, int) {}},
	{name: "connects and says nothing", n: 100, on: everybody, do: func(c *net.TCPConn, _ int) { io.Copy(io.Discard, c) }},
	{name: "sends garbage", n: 700, on: everybody, do: func(c *net.TCPConn, i int) {
		c.Write(random(i, 4096))
		listen(c)
	}},
	{name: "sends garbage after the preface", n: 500, on: servers{ofGRPC, ofHTTP}, do: garbage},
	{name: "sends garbage in the TLS handshake", n: 500, on: servers{ofHTTPS}, do: func(c *net.TCPConn, i int) {
		c.Write([]byte{22, 3, 1, 1, 0}) // a record of 256 bytes of a handshake follows
		c.Write(random(i, 2048))
		listen(c)
	}},
	{name: "breaks off the TLS handshake", n: 500, on: servers{ofHTTPS}, do: func(c *net.TCPConn, i int) {
		half := &cut{Conn: c, left: 40 + i%400}
		tls.Client(half, &tls.Config{InsecureSkipVerify: true}).Handshake()
	}},
	{name: "sends garbage after the TLS handshake", n: 300, on: servers{ofHTTPS}, do: func(c *net.TCPConn, i int) {
		if tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).Handshake() == nil {
			c.Write(random(i, 4096))
			listen(c)
		}
	}},
	{name: "resets in the middle of a request", n: 1000, on: servers{ofGRPC, ofHTTP}, do: func(c *net.TCPConn, _ int) {
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n%s", strings.Repeat("x", 5000))
		c.SetLinger(0)
	}},
	{name: "asks for much and reads nothing", n: 100, keeps: true, on: servers{ofHTTP}, do: func(c *net.TCPConn, _ int) {
		c.SetReadBuffer(1)
		fmt.Fprint(c, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
		stay(c)
	}},
	{name: "asks for a stream and reads nothing", n: 100, keeps: true, on: servers{ofGRPC}, do: hears(gives)},
	{name: "asks by HTTP/2 and reads nothing", n: 100, keeps: true, on: servers{ofHTTP}, do: hears("/much")},
	{name: "sends much to who does not read", n: 60, keeps: true, on: servers{ofHTTP}, do: func(c *net.TCPConn, _ int) {
		c.SetDeadline(time.Now().Add(hold))
		fmt.Fprint(c, "POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
		for b := make([]byte, chunk); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}},
	{name: "fills a stream that nobody reads", n: 20, on: servers{ofGRPC}, do: stuffs(deaf)},
	{name: "fills an HTTP/2 stream that nobody reads", n: 20, on: servers{ofHTTP}, do: stuffs("/deaf")},
	{name: "begins requests and takes them back", n: 20, on: servers{ofGRPC}, do: rapidReset(unary)},
	{name: "begins HTTP/2 requests and takes them back", n: 20, on: servers{ofHTTP}, do: rapidReset("/")},
	{name: "sends a header that never ends", n: 10, on: servers{ofGRPC, ofHTTP}, do: continuation},
}

// random is up to n bytes of anything.
func random(seed, n int) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	b := make([]byte, 1+r.IntN(n))
	for j := range b {
		b[j] = byte(r.Uint32())
	}
	return b
}

// A cut connection ends for good after a number of bytes was sent.
type cut struct {
	net.Conn
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	if _, err := c.Conn.Write(b[:n]); err != nil || n < len(b) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

// TestFlood: while a hundred clients at a time do it, all servers go on
// serving, and nothing of it remains.
func TestFlood(t *testing.T) {
	v := serve(t, nil, nil, netip.MustParseAddr("127.0.0.1"))
	v.serves()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			v.t = t
			v.attacked(a)
		})
	}
	v.t = t
}

func (v *victim) attacked(a attack) {
	before := v.settled()
	kept, calls := v.stuck.Load(), v.calls.Load()
	work := make(chan int)
	var dialed, failed atomic.Int64
	var wg sync.WaitGroup
	for range min(100, a.n) {
		wg.Go(func() {
			for i := range work {
				for _, address := range a.on {
					c, err := dial(address(v))
					if err != nil {
						failed.Add(1)
						v.t.Log(err)
						continue
					}
					dialed.Add(1)
					c.SetDeadline(time.Now().Add(3 * time.Second))
					a.do(c, i)
					c.Close()
				}
			}
		})
	}
	for i := range a.n {
		work <- i
		if i%max(a.n/4, 1) == a.n/8 {
			v.serves()
		}
	}
	close(work)
	v.serves()
	wg.Wait()
	v.serves()
	all := int64(a.n * len(a.on))
	if dialed.Load() < all-all/20 {
		v.t.Errorf("%d of %d clients have come, %d could not connect", dialed.Load(), all, failed.Load())
	}
	v.returns(before)
	if kept = v.stuck.Load() - kept; a.keeps && kept < all/2 {
		v.t.Errorf("%d of %d calls were kept", kept, all)
	}
	v.t.Logf("%d connections, %d failed, %d calls began, %d were kept", dialed.Load(), failed.Load(), v.calls.Load()-calls, kept)
}
