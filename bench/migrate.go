package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
)

// moveAfter is how long a client of QUIC bears silence before it moves to the
// other path: somewhat more than the least timeout of TCP, so that it does not
// move without a reason.
const moveAfter = 250 * time.Millisecond

const alpn = "ticks"

var quicConfig = &quic.Config{MaxIdleTimeout: 20 * time.Second}

// overQUIC ticks on a stream of one connection, and moves the connection to the
// second path when the first is silent.
func (s *scene) overQUIC() {
	server := s.packets(s.server.ListenConfig(), netip.IPv4Unspecified())
	ln, err := server.Listen(serverTLS(alpn), quicConfig)
	if err != nil {
		s.fail(err)
		return
	}
	go func() { s.fail(s.accept(ln)) }()

	first := s.packets(s.client.ListenConfig(), s.first.Addr(s.client))
	second := s.packets(s.client.ListenConfig(), s.second.Addr(s.client))
	port := ln.Addr().(*net.UDPAddr).Port
	conn, err := first.Dial(s, &net.UDPAddr{IP: s.address.AsSlice(), Port: port}, clientTLS(alpn), quicConfig)
	if err != nil {
		s.fail(err)
		return
	}
	s.Cleanup(func() { conn.CloseWithError(0, "") })
	stream, err := conn.OpenStreamSync(s)
	if err != nil {
		s.fail(err)
		return
	}
	go s.move(conn, second)
	go tick(s, func(b []byte) error {
		_, err := stream.Write(b)
		return err
	})
	s.fail(read(stream, &s.down))
}

// packets opens a socket, with what quic-go needs around it.
func (s *scene) packets(lc *net.ListenConfig, address netip.Addr) *quic.Transport {
	pc, err := lc.ListenPacket(s, "udp4", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		s.fail(err)
		pc = new(net.UDPConn) // whose every use fails
	}
	t := &quic.Transport{Conn: pc}
	s.Cleanup(func() {
		t.Close()
		pc.Close()
	})
	return t
}

func (s *scene) accept(ln *quic.Listener) error {
	conn, err := ln.Accept(s)
	if err != nil {
		return err
	}
	stream, err := conn.AcceptStream(s)
	if err != nil {
		return err
	}
	go tick(s, func(b []byte) error {
		_, err := stream.Write(b)
		return err
	})
	return read(stream, &s.up)
}

func read(r io.Reader, w *watch) error {
	b := make([]byte, tickSize)
	for {
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		w.arrived()
	}
}

// move does what an application of QUIC has to do for itself.
func (s *scene) move(conn *quic.Conn, to *quic.Transport) {
	path, err := conn.AddPath(to)
	if err == nil {
		err = path.Probe(s)
	}
	if err != nil {
		s.fail(errors.Join(errors.New("the second path"), err))
		return
	}
	s.ready.Store(true)
	for s.down.count() == 0 || s.down.silence() < moveAfter {
		time.Sleep(2 * time.Millisecond)
		if s.Err() != nil {
			return
		}
	}
	if err := path.Switch(); err != nil {
		s.fail(err)
	}
}
