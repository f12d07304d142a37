package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// echo accepts connections of ln and echoes on each until the test ends.
func echo(t testing.TB, ln net.Listener) {
	t.Helper()
	serve(t, ln, func(net.Conn) {})
}

// accept is echo that hands out the accepted connections.
func accept(t testing.TB, ln net.Listener) <-chan net.Conn {
	t.Helper()
	conns := make(chan net.Conn, 16)
	serve(t, ln, func(c net.Conn) { conns <- c })
	return conns
}

func serve(t testing.TB, ln net.Listener, accepted func(net.Conn)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
			accepted(c)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
}

func listenTCP(t testing.TB, address string) net.Listener {
	t.Helper()
	ln, err := (&transport.ListenConfig{Mode: transport.Off}).Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func listenMultipath(t testing.TB, address string) net.Listener {
	t.Helper()
	ln, err := (&transport.ListenConfig{Mode: transport.Require}).Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func roundTrip(t testing.TB, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
}

func TestDialStates(t *testing.T) {
	type side struct {
		state  mptcp.State
		reason mptcp.Reason
	}
	multipath := side{state: mptcp.Multipath}
	notRequested := side{mptcp.TCP, mptcp.ReasonNotRequested}
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		for _, tt := range []struct {
			name           string
			listen         func(testing.TB, string) net.Listener
			mode           transport.Mode
			client, server side
		}{
			{"both", listenMultipath, transport.Prefer, multipath, multipath},
			{"required", listenMultipath, transport.Require, multipath, multipath},
			{"server without", listenTCP, transport.Prefer, side{mptcp.Fallback, mptcp.ReasonNotAnswered}, notRequested},
			{"client without", listenMultipath, transport.Off, notRequested, side{mptcp.TCP, mptcp.ReasonNotOffered}},
			{"neither", listenTCP, transport.Off, notRequested, notRequested},
		} {
			t.Run(tt.name+" "+addr, func(t *testing.T) {
				ln := tt.listen(t, addr)
				conns := accept(t, ln)
				d := transport.Dialer{Mode: tt.mode}
				c, err := d.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, ok := c.(*net.TCPConn); !ok {
					t.Fatalf("connection is a %T, want a bare *net.TCPConn", c)
				}
				if s, err := mptcp.Inspect(c); err != nil || s.State == mptcp.Multipath && s.Confirmed {
					t.Errorf("before data: %v, %v: want no error, and not confirmed", s, err)
				}
				roundTrip(t, c)
				if r, ok := transport.Lookup(c.LocalAddr()).Dial(); !ok || r.MultipathAttempts+r.TCPAttempts != 1 || (r.TCPAttempts == 1) != (tt.mode == transport.Off) {
					t.Errorf("%+v, %v: want one attempt", r, ok)
				}
				s := <-conns
				for _, end := range []struct {
					name string
					c    net.Conn
					want side
				}{{"client", c, tt.client}, {"server", s, tt.server}} {
					got, err := mptcp.InspectAddr(end.c.LocalAddr())
					if err != nil || got.State != end.want.state || got.Reason != end.want.reason {
						t.Errorf("%s: %v, %v: want %v (%v)", end.name, got, err, end.want.state, end.want.reason)
					}
					if got.State == mptcp.Multipath && !got.Confirmed {
						t.Errorf("%s: not confirmed after data", end.name)
					}
				}
			})
		}
	}
}

// dialError checks that err is one *net.OpError of a dial.
func dialError(t *testing.T, err error) *net.OpError {
	t.Helper()
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "dial" {
		t.Fatalf("error is %T %v, want a *net.OpError of a dial", err, err)
	}
	t.Log(op)
	return op
}

func TestDialRefused(t *testing.T) {
	ln := listenTCP(t, "127.0.0.1:0")
	addr := ln.Addr().String()
	ln.Close()
	for _, mode := range []transport.Mode{transport.Prefer, transport.Require, transport.Off} {
		_, err := (&transport.Dialer{Mode: mode}).Dial("tcp", addr)
		if op := dialError(t, err); !errors.Is(op, syscall.ECONNREFUSED) || op.Addr.String() != addr {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestDialRequiredFallback(t *testing.T) {
	ln := listenTCP(t, "127.0.0.1:0")
	echo(t, ln)
	_, err := (&transport.Dialer{Mode: transport.Require}).Dial("tcp", ln.Addr().String())
	if op := dialError(t, err); !errors.Is(op, transport.ErrFallback) {
		t.Errorf("%v does not match ErrFallback", err)
	}
}

func TestDialBadInput(t *testing.T) {
	expired, cancel := context.WithTimeout(context.Background(), -1)
	defer cancel()
	canceled, cancel2 := context.WithCancel(context.Background())
	cancel2()
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		network string
		address string
		is      error
	}{
		{"no port", context.Background(), "tcp", "127.0.0.1", nil},
		{"bad port", context.Background(), "tcp", "127.0.0.1:http-no", nil},
		{"wrong family", context.Background(), "tcp6", "127.0.0.1:1", nil},
		{"expired", expired, "tcp", ln.Addr().String(), context.DeadlineExceeded},
		{"canceled", canceled, "tcp", ln.Addr().String(), context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := new(transport.Dialer).DialContext(tt.ctx, tt.network, tt.address)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if op := dialError(t, err); tt.is != nil && !errors.Is(op, tt.is) {
				t.Errorf("%v does not match %v", err, tt.is)
			}
		})
	}
	select {
	case c := <-conns:
		t.Errorf("a dial that was over connected from %v", c.RemoteAddr())
	case <-time.After(50 * time.Millisecond):
	}
}

func TestClosed(t *testing.T) {
	for _, listen := range []func(testing.TB, string) net.Listener{listenMultipath, listenTCP} {
		ln := listen(t, "127.0.0.1:0")
		echo(t, ln)
		c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		last, err := mptcp.Inspect(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		s, err := mptcp.Inspect(c)
		if !errors.Is(err, net.ErrClosed) || s.State != last.State || s.Reason != last.Reason {
			t.Errorf("closed: %v, %v: want %v and net.ErrClosed", s, err, last)
		}
	}
}

func TestCongestionControl(t *testing.T) {
	ln := listenMultipath(t, "127.0.0.1:0")
	conns := accept(t, ln)
	plain := listenTCP(t, "127.0.0.1:0")
	echo(t, plain)
	c, err := new(transport.Dialer).Dial("tcp", plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host := hostCongestion(t)
	conn := transport.Lookup(c.LocalAddr())
	if got := conn.CongestionControl(); got != host {
		t.Errorf("fallback uses %q, the host's default is %q", got, host)
	}
	if r, _ := conn.Dial(); r.CongestionControl != "" {
		t.Errorf("record of a fallback says %q was set", r.CongestionControl)
	}
	c, err = new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	want := host
	if len(host) >= 3 && host[:3] == "bbr" {
		want = "reno"
		if r, _ := transport.Lookup(c.LocalAddr()).Dial(); r.CongestionControl != want {
			t.Errorf("record says %q was set, want %q", r.CongestionControl, want)
		}
	}
	for _, a := range []net.Addr{c.LocalAddr(), (<-conns).LocalAddr()} {
		if got := transport.Lookup(a).CongestionControl(); got != want {
			t.Errorf("Multipath TCP uses %q, want %q", got, want)
		}
	}
	d := net.Dialer{}
	d.SetMultipathTCP(false)
	c, err = d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := transport.Lookup((<-conns).LocalAddr()).CongestionControl(); got != host {
		t.Errorf("accepted TCP connection uses %q, the host's default is %q", got, host)
	}
}
