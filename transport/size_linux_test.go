package transport

import (
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// sockets returns n idle Multipath TCP connections over the loopback interface.
// Their other ends wait to be accepted: so they are there, and take no file
// descriptors.
func sockets(t testing.TB, n int) []*net.TCPConn {
	t.Helper()
	const backlog = 1000 // well below net.core.somaxconn
	conns := make([]*net.TCPConn, 0, n)
	var address string
	for len(conns) < n {
		if len(conns)%backlog == 0 {
			ln, err := Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
			address = ln.Addr().String()
		}
		d := net.Dialer{}
		d.SetMultipathTCP(true)
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatalf("%d connections: %v: raise the limit of open files", len(conns), err)
		}
		t.Cleanup(func() { c.Close() })
		if s, err := mptcp.Inspect(c); err != nil || s.State != mptcp.Multipath {
			t.Fatalf("%v, %v", s, err)
		}
		conns = append(conns, c.(*net.TCPConn))
	}
	return conns
}

// BenchmarkIdle reports how much of one processor the watchdog uses for 10,000
// idle Multipath TCP connections with a user timeout. It should be below one
// percent.
func BenchmarkIdle(b *testing.B) {
	const n, span = 10_000, 10 * time.Second
	for _, timeout := range []time.Duration{time.Second, 5 * time.Second, 20 * time.Second} {
		b.Run(timeout.String(), func(b *testing.B) {
			settle()
			conns := sockets(b, n)
			for _, c := range conns {
				track(c, conntable.Dialed, plain(mptcp.Fallback, mptcp.ReasonUnknown), nil, care{userTimeout: timeout})
			}
			runtime.GC()
			time.Sleep(3 * time.Second) // until each was looked at
			before := processorTime(b)
			time.Sleep(span)
			used := 100 * (processorTime(b) - before).Seconds() / span.Seconds()
			for b.Loop() {
			}
			b.ReportMetric(used, "%-of-a-core")
			b.ReportMetric(0, "ns/op")
			if left := watchdog.left(); left < n {
				b.Errorf("%d connections are watched, of %d", left, n)
			}
			runtime.KeepAlive(conns)
		})
	}
}

// settle waits until nobody is watched any more: those of another benchmark may
// still be being dropped.
func settle() {
	for watchdog.left() > 0 {
		time.Sleep(tick)
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSize holds what the table, the dial record and the watchdog take together
// for each of 10,000 live connections, the runtime's share included. Package
// conntable has a test for the table alone.
func TestSize(t *testing.T) {
	const n, most = 10_000, 540 // 320 to 480, by how full the slots of the wheel are
	for range 20 {
		if runtime.GC(); watchdog.left() == 0 {
			break
		}
		time.Sleep(tick) // those of another test are still being dropped
	}
	conns := sockets(t, n)
	before := heap()
	for _, c := range conns {
		r := race{network: "tcp", address: "127.0.0.1:1", start: time.Now()}
		r.won(c, mptcp.ReasonUnknown, nil, "")
		track(c, conntable.Dialed, r.onPlain, r.record, care{userTimeout: time.Minute})
	}
	size := float64(heap()-before) / n
	t.Logf("%.0f bytes for each connection", size)
	if size > most {
		t.Errorf("%.0f bytes for each connection, want at most %d", size, most)
	}
	runtime.KeepAlive(conns)
}

// left returns how many are being looked after.
func (h *wheel[W]) left() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.OtherSys + m.MSpanInuse
}
