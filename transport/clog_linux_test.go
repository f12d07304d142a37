package transport

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/mptcptest"
)

// TestUnclog: connections go on that have filled their receive buffer with
// what cannot be read while their path was dead. Without help they never would.
func TestUnclog(t *testing.T) {
	p := newTwoPaths(t)
	// Each message takes a buffer of 832 bytes, a byte of the window, and few of
	// them the whole of what a connection has to begin with.
	const message = 1
	const small = 16384
	p.server.Sysctl("net.ipv4.tcp_rmem", fmt.Sprint("4096 ", small, " 6291456"))
	p.client.Sysctl("net.mptcp.stale_loss_cnt", 30) // nothing is sent again before the buffer is full
	type stream struct {
		srv       net.Conn
		sent, got atomic.Int64
	}
	streams := make([]stream, 2)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range streams {
		s := &streams[i]
		c, srv := p.connect()
		s.srv = srv
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
				n, err := c.Write(make([]byte, message))
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
	const patience = 20 * time.Second // for all of them
	dead := time.Now()
	for i := range streams {
		s := &streams[i]
		sent, got := s.sent.Load(), s.got.Load()
		for s.got.Load() < sent+1000 {
			if time.Since(dead) > patience {
				t.Fatalf("of %d bytes sent before the path died, and %d in %v after it, %d arrived before it and %d after it",
					sent, s.sent.Load()-sent, patience, got, s.got.Load()-got)
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Logf("went on after %v", time.Since(dead))
	}
	for i := range streams {
		raw, err := streams[i].srv.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			if m, errno := sockopt.Mem(int(fd)); errno != 0 || m.ReceiveTo <= small {
				t.Errorf("%+v, %v: nothing has clogged, so nothing was tested", m, errno)
			}
		})
	}
	close(stop)
	writers.Wait()
}
