package mptcp

import (
	"errors"
	"net"
	"syscall"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// ErrNotTCP is returned for a connection or an address that has no TCP socket
// behind it, such as a Unix socket or an in-memory pipe.
var ErrNotTCP = errors.New("mptcp: not a TCP connection")

// ErrUntracked is returned by [InspectAddr] for an address that does not
// belong to a connection opened by package transport: the connection was made
// elsewhere, or something between it and the caller replaced the address.
var ErrUntracked = errors.New("mptcp: address of no known connection: dial and listen with package transport")

// Probe reports whether this process can open Multipath TCP sockets, by
// opening one and closing it. It costs about two microseconds.
//
// The result has three meanings:
//
//	err == nil                             it can
//	errors.Is(err, errors.ErrUnsupported)  it cannot, and err says why
//	any other error                        the question could not be answered
//
// The first two are conclusive. The answer belongs to the network namespace
// and the security policy of the calling thread and may change when they do;
// Probe does not cache it. [ProbeReason] turns the error into a [Reason].
func Probe() error { return probe() }

// ProbeReason returns the [Reason] within an error of [Probe], or within any
// error that holds the errno of a refused Multipath TCP socket call. It returns
// [ReasonUnknown] for an error that says nothing about Multipath TCP.
func ProbeReason(err error) Reason {
	if p, ok := errors.AsType[*probeError](err); ok {
		return p.reason
	}
	return socketReason(err)
}

// Inspect reads the status of c from its socket.
//
// c may be any connection that implements [syscall.Conn], such as a
// [*net.TCPConn], or that wraps one and has a NetConn method, such as a
// [*crypto/tls.Conn]. For any other connection the error is [ErrNotTCP].
//
// It costs one system call while the connection uses Multipath TCP. The first
// time that a connection is seen to have fallen back, the reason is looked up
// by inet_diag, once, which costs some 20 microseconds. For a connection that
// package transport did not open there is no place to keep the reason, and
// each call looks it up again.
//
// For a closed connection the status is the last one that was read, if any,
// and the error matches [net.ErrClosed].
func Inspect(c net.Conn) (Status, error) {
	sc := socketOf(c)
	if sc == nil {
		return Status{}, ErrNotTCP
	}
	if nc, ok := sc.(net.Conn); ok {
		if local, ok := nc.LocalAddr().(*net.TCPAddr); ok {
			if e := conntable.ByLocal(local); e != nil {
				return inspectEntry(e)
			}
		}
	}
	return inspectConn(sc)
}

// socketOf returns the innermost connection of c that has a socket, or nil.
func socketOf(c net.Conn) syscall.Conn {
	for c != nil {
		if sc, ok := c.(syscall.Conn); ok {
			return sc
		}
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = w.NetConn()
	}
	return nil
}

// InspectAddr reads the status of the connection whose LocalAddr method
// returned local. It is for places that are told the addresses of a connection
// but are not given the connection: peer.Peer.LocalAddr in gRPC,
// http.LocalAddrContextKey in a handler, httptrace.GotConnInfo.
//
// The connection is found by the identity of the address, which package net
// makes anew for each socket, and not by its value: many accepted connections
// share one local address and port. It must have been opened by package
// transport, or the error is [ErrUntracked]; an address that is no
// [*net.TCPAddr] gives [ErrNotTCP].
//
// It costs what [Inspect] costs, and does not allocate.
func InspectAddr(local net.Addr) (Status, error) {
	addr, ok := local.(*net.TCPAddr)
	if !ok || addr == nil {
		return Status{}, ErrNotTCP
	}
	e := conntable.ByLocal(addr)
	if e == nil {
		return Status{}, ErrUntracked
	}
	return inspectEntry(e)
}

// InspectAddrs is like [InspectAddr] with a second chance: if local is a copy
// and not the address that the connection itself returned, the connection is
// looked for by the values of both addresses. With several connections of the
// same addresses (in several network namespaces, or closed and not yet
// collected) the newest answers.
func InspectAddrs(local, remote net.Addr) (Status, error) {
	s, err := InspectAddr(local)
	if err != ErrUntracked {
		return s, err
	}
	peer, ok := remote.(*net.TCPAddr)
	if !ok || peer == nil {
		return s, err
	}
	e := conntable.ByAddrs(local.(*net.TCPAddr).AddrPort(), peer.AddrPort())
	if e == nil {
		return s, err
	}
	return inspectEntry(e)
}
