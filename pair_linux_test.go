package mptcp

import (
	"context"
	"io"
	"net"
	"testing"
)

// pair returns both ends of a connection made by package net alone, after one
// byte each way. The listener speaks Multipath TCP only if multipath is set;
// the dialer always asks for it.
func pair(t testing.TB, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	return pairOn(t, "127.0.0.1:0", multipath)
}

func pairOn(t testing.TB, address string, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(multipath)
	ln, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var d net.Dialer
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, p := range [][2]net.Conn{{c, s}, {s, c}} {
		if _, err := p[0].Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p[1], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}
