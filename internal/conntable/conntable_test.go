package conntable

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// settle waits until the table holds want entries.
func settle(t testing.TB, want int) {
	t.Helper()
	for range 200 {
		runtime.GC()
		if Len() == want && len(slices.Collect(All())) == want && tuples() == want {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d entries, %d counted, and %d tuples, want %d", len(slices.Collect(All())), Len(), tuples(), want)
}

func tuples() int {
	n := 0
	for i := range byTuple {
		s := &byTuple[i]
		s.RLock()
		for _, e := range s.m {
			for ; e != nil; e = e.next {
				n++
			}
		}
		s.RUnlock()
	}
	return n
}

// TestPointerIdentity pins what the table rests on: package net returns one
// address per socket, always the same one, and no two sockets share one.
func TestPointerIdentity(t *testing.T) {
	client, server := pair(t)
	defer client.Close()
	defer server.Close()
	f, err := server.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	copied, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	seen := make(map[net.Addr]bool)
	for _, c := range []net.Conn{client, server, copied} {
		a := c.LocalAddr().(*net.TCPAddr)
		if seen[a] {
			t.Error("two sockets share one address")
		}
		seen[a] = true
		for range 3 {
			runtime.GC()
			if c.LocalAddr().(*net.TCPAddr) != a {
				t.Error("LocalAddr returned another pointer")
			}
		}
		c.SetDeadline(time.Now())
		c.Close()
		if c.LocalAddr().(*net.TCPAddr) != a {
			t.Error("LocalAddr returned another pointer after Close")
		}
	}
}

func TestAddAndRemove(t *testing.T) {
	settle(t, 0)
	func() {
		client, server := pair(t)
		ce := Add(client, &Entry{})
		se := Add(server, &Entry{Role: Accepted})
		if ByLocal(client.LocalAddr().(*net.TCPAddr)) != ce || ByLocal(server.LocalAddr().(*net.TCPAddr)) != se {
			t.Error("not found by local address")
		}
		addrs := func(c net.Conn) (local, remote netip.AddrPort) {
			return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
		}
		if ByAddrs(addrs(client)) != ce || ByAddrs(addrs(server)) != se {
			t.Error("not found by both addresses")
		}
		local, remote := addrs(client)
		mapped := netip.AddrPortFrom(netip.AddrFrom16(remote.Addr().As16()), remote.Port())
		if ByAddrs(local, mapped) != ce {
			t.Error("not found by an IPv4-mapped address")
		}
		if ByAddrs(remote, remote) != nil {
			t.Error("found by wrong addresses")
		}
		if n := Len(); n != 2 {
			t.Errorf("%d entries, want 2", n)
		}
		if ce.ID >= se.ID || time.Since(ce.Opened()) > time.Minute {
			t.Error("id or time is off")
		}
		// The same connection under the same addresses: the newest answers.
		f, _ := client.File()
		again, _ := net.FileConn(f)
		f.Close()
		ae := Add(again.(*net.TCPConn), &Entry{})
		if ByAddrs(addrs(client)) != ae {
			t.Error("the newest of two does not answer")
		}
		remove(ce)
		if ByLocal(ce.Local) != nil {
			t.Error("found by local address after it was removed")
		}
		if drop(ce); Len() != 2 {
			t.Errorf("%d entries after one of three was removed twice", Len())
		}
		if ByAddrs(addrs(client)) != ae {
			t.Error("removing the older one removed the newer one")
		}
		remove(ae)
		if ByAddrs(addrs(client)) != nil {
			t.Error("found after it was removed")
		}
		// Neither is closed: a leaked connection goes as well.
		runtime.KeepAlive(client)
		runtime.KeepAlive(server)
		runtime.KeepAlive(again)
	}()
	settle(t, 0)
}

// TestConcurrent runs everything at once, under the garbage collector.
func TestConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				client, server := pair(t)
				e := Add(client, &Entry{})
				Add(server, &Entry{})
				local := client.LocalAddr().(*net.TCPAddr)
				if ByLocal(local) != e {
					t.Error("missed")
				}
				if i%2 == 0 { // while others look it up
					var looking sync.WaitGroup
					for range 2 {
						looking.Go(func() {
							for ByLocal(local) != nil {
							}
						})
					}
					drop(e)
					looking.Wait()
				}
				for range All() {
				}
				client.Close()
				server.Close()
			}
		})
	}
	wg.Wait()
	settle(t, 0)
}

func BenchmarkLookup(b *testing.B) {
	var keep []*net.TCPConn
	for range 500 {
		client, server := pair(b)
		Add(client, &Entry{})
		Add(server, &Entry{})
		keep = append(keep, client, server)
	}
	local := keep[77].LocalAddr().(*net.TCPAddr)
	b.Run("local", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ByLocal(local)
		}
	})
	b.Run("local, another each time", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			ByLocal(keep[i%len(keep)].LocalAddr().(*net.TCPAddr))
		}
	})
	b.Run("local, another each time, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				ByLocal(keep[i%len(keep)].LocalAddr().(*net.TCPAddr))
			}
		})
	})
	b.Run("local, in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ByLocal(local)
			}
		})
	})
	l, r := local.AddrPort(), keep[77].RemoteAddr().(*net.TCPAddr).AddrPort()
	b.Run("both", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ByAddrs(l, r)
		}
	})
	for _, c := range keep {
		c.Close()
	}
}
