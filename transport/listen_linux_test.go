package transport_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

func listen(t *testing.T, lc *transport.ListenConfig) *transport.Listener {
	t.Helper()
	ln, err := lc.Listen(context.Background(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.(*transport.Listener)
}

// TestListenWhateverGODEBUG: the setting of the main module decides what
// package net listens with, and not what we do.
func TestListenWhateverGODEBUG(t *testing.T) {
	for _, v := range []string{"0", "1", "2", "3"} {
		t.Setenv("GODEBUG", "multipathtcp="+v)
		if s := listen(t, &transport.ListenConfig{}).Status(); s.State != mptcp.Multipath {
			t.Errorf("GODEBUG=multipathtcp=%s: %v", v, s)
		}
		s := listen(t, &transport.ListenConfig{Mode: transport.Off}).Status()
		if s.State != mptcp.TCP || s.Reason != mptcp.ReasonNotRequested {
			t.Errorf("off, GODEBUG=multipathtcp=%s: %v", v, s)
		}
	}
}

// tooMuch is a Control function that wants an option which Multipath TCP
// sockets refuse.
func tooMuch(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1000)
	}); e != nil {
		return e
	}
	return err
}

func TestControlRefused(t *testing.T) {
	ln := listen(t, &transport.ListenConfig{NetListenConfig: &net.ListenConfig{Control: tooMuch}})
	if s := ln.Status(); s.State != mptcp.Fallback || s.Reason != mptcp.ReasonControl {
		t.Errorf("listener: %v", s)
	}
	echo(t, ln)
	_, err := (&transport.ListenConfig{NetListenConfig: &net.ListenConfig{Control: tooMuch}, Mode: transport.Require}).
		Listen(context.Background(), "tcp", "localhost:0")
	if !errors.Is(err, unix.ENOPROTOOPT) {
		t.Errorf("required: %v", err)
	}

	mp := listenMultipath(t, "127.0.0.1:0")
	echo(t, mp)
	d := transport.Dialer{NetDialer: &net.Dialer{Control: tooMuch}, Memory: new(transport.Memory)}
	c, err := d.Dial("tcp", mp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s, err := mptcp.Inspect(c); err != nil || s.State != mptcp.Fallback || s.Reason != mptcp.ReasonControl {
		t.Errorf("dialer: %v, %v", s, err)
	}
	if d.Memory.Len() != 0 {
		t.Error("a failure of our own making was remembered of the destination")
	}
	d.Mode = transport.Require
	if c, err := d.Dial("tcp", mp.Addr().String()); !errors.Is(err, unix.ENOPROTOOPT) {
		t.Errorf("required: %v, %v", c, err)
	}
}

func TestListenErrors(t *testing.T) {
	ln := listen(t, &transport.ListenConfig{})
	for _, mode := range []transport.Mode{transport.Prefer, transport.Require, transport.Off} {
		lc := transport.ListenConfig{Mode: mode}
		_, err := lc.Listen(context.Background(), "tcp", ln.Addr().String())
		if op, ok := err.(*net.OpError); !ok || !errors.Is(op, syscall.EADDRINUSE) {
			t.Errorf("%v: address in use: %v", mode, err)
		}
		if _, err := lc.Listen(context.Background(), "tcp", "nonsense"); err == nil {
			t.Errorf("%v: nonsense: no error", mode)
		}
	}
}

func TestOtherNetworks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := transport.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	echo(t, ln)
	c, err := new(transport.Dialer).Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	u, err := new(transport.Dialer).Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	u.Close()
}

// TestAcceptSurvives: clients that reset, vanish and send garbage do not end a
// listener, and a lack of descriptors is an error that servers wait out.
func TestAcceptSurvives(t *testing.T) {
	ln := listen(t, &transport.ListenConfig{})
	for range 200 {
		c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close() // a reset, before anybody accepts
	}
	for range 200 {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}

	c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	_, err = ln.Accept()
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); e != nil {
		t.Fatal(e)
	}
	if temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err); !ok || !temporary.Temporary() {
		t.Errorf("out of descriptors: %v: want a temporary error", err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatalf("after descriptors are back: %v", err)
	}
	s.Close()
	ln.Close()
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestListenerFile: a copy of the listening socket is a Multipath TCP listener
// as well, for a restart that hands it over.
func TestListenerFile(t *testing.T) {
	ln := listen(t, &transport.ListenConfig{})
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	proto, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || proto != unix.IPPROTO_MPTCP {
		t.Errorf("protocol %d, %v", proto, err)
	}
}

// TestAdopt: a listener that another process hands over is recognized for what
// it is.
func TestAdopt(t *testing.T) {
	for _, mode := range []transport.Mode{transport.Require, transport.Off} {
		first := listen(t, &transport.ListenConfig{Mode: mode})
		f, err := first.File()
		if err != nil {
			t.Fatal(err)
		}
		inherited, err := net.FileListener(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := mptcp.Multipath
		if mode == transport.Off {
			want = mptcp.TCP
			if _, err := (&transport.ListenConfig{Mode: transport.Require}).Adopt(inherited); !errors.Is(err, transport.ErrFallback) {
				t.Errorf("a TCP listener where Multipath TCP is required: %v", err)
			}
		}
		ln, err := new(transport.ListenConfig).Adopt(inherited)
		if err != nil {
			t.Fatal(err)
		}
		first.Close() // the other process ends; the socket lives on
		if s := ln.Status(); s.State != want {
			t.Errorf("%v, want %v", s, want)
		}
		conns := accept(t, ln)
		c, err := new(transport.Dialer).Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		roundTrip(t, c)
		if s, err := mptcp.InspectAddr((<-conns).LocalAddr()); err != nil || s.State != want {
			t.Errorf("accepted connection: %v, %v, want %v", s, err, want)
		}
	}
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	if _, err := new(transport.ListenConfig).Adopt(unix); !errors.Is(err, mptcp.ErrNotTCP) {
		t.Errorf("a Unix listener: %v", err)
	}
}
