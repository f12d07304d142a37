package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

// TestUnclog: connections go on that have filled their receive buffer with
// what cannot be read while their path was dead. Without help they never would.
func TestUnclog(t *testing.T) {
	p := newTwoPaths(t)
	p.server.Sysctl("net.ipv4.tcp_rmem", "4096 131072 6291456")
	p.client.Sysctl("net.mptcp.stale_loss_cnt", 30) // nothing is sent again before the buffer is full
	type stream struct{ sent, got atomic.Int64 }
	streams := make([]stream, 4)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var readers []net.Conn
	for i := range streams {
		s := &streams[i]
		c, srv := p.connect()
		readers = append(readers, srv)
		go func() {
			b := make([]byte, 1<<10)
			for {
				n, err := srv.Read(b)
				s.got.Add(int64(n))
				if err != nil {
					return
				}
			}
		}()
		writers.Go(func() {
			for ticker := time.NewTicker(2 * time.Millisecond); ; <-ticker.C {
				select {
				case <-stop:
					return
				default:
				}
				n, err := c.Write(make([]byte, 100))
				s.sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		for until := time.Now().Add(10 * time.Second); ; {
			st, err := mptcp.Inspect(c)
			if err != nil {
				t.Fatal(err)
			}
			n, told := st.Subflows()
			if n == 2 {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("%d subflows, %v: want 2", n, told)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	time.Sleep(500 * time.Millisecond)
	p.first.Inject(mptcptest.DropAll())
	since := make([]time.Time, len(streams))
	var longest time.Duration
	seen := 0
	// The kernel decides whether and when a buffer is full.
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for i, c := range readers {
			_, yes, _ := clog(c)
			switch {
			case !yes:
				since[i] = time.Time{}
			case since[i].IsZero():
				since[i] = time.Now()
				if seen++; seen == 1 {
					end = time.Now().Add(7 * time.Second)
				}
			default:
				longest = max(longest, time.Since(since[i]))
			}
		}
	}
	t.Logf("clogged %d times, for %v at most", seen, longest)
	if longest > 5*time.Second {
		t.Error("a connection stays clogged")
	}
	close(stop)
	if !t.Failed() {
		writers.Wait()
	}
}

func clog(c net.Conn) (size uint32, yes bool, err error) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, false, err
	}
	err = raw.Control(func(fd uintptr) { size, yes = clogged(int(fd)) })
	return size, yes, err
}
