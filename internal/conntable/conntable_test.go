package conntable

import (
	"net"
	"net/netip"
	"runtime"
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
		if Len() == want && tuples() == want && (want > 0 || !anyFound()) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d entries and %d tuples, want %d; looked up and not forgotten: %v", Len(), tuples(), want, anyFound())
}

// anyFound reports whether a shard has an entry that was looked up.
func anyFound() bool {
	for i := range byLocal {
		if byLocal[i].found.Load() != nil {
			return true
		}
	}
	return false
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

// TestFound checks that what a shard has found last does not outlive its entry,
// and is not taken for another.
func TestFound(t *testing.T) {
	settle(t, 0)
	var entries []*Entry
	var conns []*net.TCPConn
	for range 2 * shardCount {
		client, server := pair(t)
		defer client.Close()
		defer server.Close()
		conns = append(conns, client)
		entries = append(entries, Add(client, &Entry{}))
	}
	for i := range 4 * len(entries) { // each twice at once, and twice over
		e := entries[i/2%len(entries)]
		if ByLocal(e.Local) != e {
			t.Fatal("not found by local address")
		}
	}
	for _, e := range entries {
		found := ByLocal(e.Local)
		if drop(e); found != e || ByLocal(e.Local) != nil {
			t.Error("found after it was removed")
		}
	}
	if anyFound() {
		t.Error("an entry outlives its connection")
	}
	runtime.KeepAlive(conns)
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

// Addresses are kept at regular distances, and are to be in different shards all the
// same: as many as for random numbers, within what chance does.
func TestShards(t *testing.T) {
	for _, every := range []int{1, 2, 3, 4, 6, 8} { // of 48 bytes
		addrs := make([]*net.TCPAddr, 64*every)
		for i := range addrs {
			addrs[i] = new(net.TCPAddr)
		}
		used := make(map[*shard[*net.TCPAddr]]bool)
		for i := 0; i < len(addrs); i += every {
			used[localShard(addrs[i])] = true
		}
		if len(used) < 20 { // 27.8 on average, and less than 22 once in ten thousand times
			t.Errorf("one address in %d: 64 are in %d of %d shards", every, len(used), shardCount)
		}
	}
}
