package conntable

import (
	"net"
	"runtime"
	"testing"
)

// TestSize holds what the table takes for each of 10,000 live connections, the
// runtime's share for its cleanup included.
func TestSize(t *testing.T) {
	const n, most = 10_000, 320
	settle(t, 0)
	for i := range byTuple { // maps do not shrink
		byTuple[i].Lock()
		byTuple[i].m = nil
		byTuple[i].Unlock()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conns := make([]*net.TCPConn, 0, n)
	defer func() {
		for _, c := range conns {
			c.SetLinger(0)
			c.Close()
		}
	}()
	for len(conns) < n { // both ends of each connection, so that all have addresses of their own
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatalf("%d connections: %v: raise the limit of open files", len(conns), err)
		}
		conns = append(conns, client.(*net.TCPConn))
		server, err := ln.Accept()
		if err != nil {
			t.Fatalf("%d connections: %v: raise the limit of open files", len(conns), err)
		}
		conns = append(conns, server.(*net.TCPConn))
	}
	before := memory()
	for _, c := range conns {
		Add(c, &Entry{})
	}
	size := float64(memory()-before) / n
	if Len() != n || tuples() != n {
		t.Errorf("%d entries and %d tuples, want %d", Len(), tuples(), n)
	}
	t.Logf("%.0f bytes for each connection", size)
	if size > most {
		t.Errorf("%.0f bytes for each connection, want at most %d", size, most)
	}
	runtime.KeepAlive(conns)
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.OtherSys + m.MSpanInuse
}
