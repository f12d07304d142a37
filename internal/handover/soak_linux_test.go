package handover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

const (
	soakEvery   = 100 * time.Millisecond // between two messages of a stream
	soakPerConn = 10                     // streams of one connection

	// soakPatience is how long a stream may stand still, and data be
	// unacknowledged. For a path that has been down often Linux waits up to two
	// minutes (TCP_RTO_MAX), and then the path may be down again: see
	// docs/handover.md.
	soakPatience, longSoakPatience = 20 * time.Second, 4 * time.Minute
)

// TestSoak: streams over two paths that come and go at random, never both. Every
// other client has QuickHandover, and none of the connections may fall to the
// user timeout. HANDOVER_SOAK makes it longer, and wider unless HANDOVER_STREAMS
// says otherwise. HANDOVER_RTO_MAX is what the hosts have as
// net.ipv4.tcp_rto_max_ms, instead of two minutes; they give a subflow up after as
// many timeouts as there can be then (tcp_retries2).
func TestSoak(t *testing.T) {
	duration, streams, patience := 30*time.Second, 50, soakPatience
	if long := os.Getenv("HANDOVER_SOAK"); long != "" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatal(err)
		}
		duration, streams, patience = d, 500, longSoakPatience
	} else if testing.Short() {
		t.Skip("takes half a minute")
	}
	streams = envInt("HANDOVER_STREAMS", streams)

	s := newScene(t, setup{stack: quick, userTimeout: patience})
	if ms := envInt("HANDOVER_RTO_MAX", 0); ms > 0 {
		for _, h := range []*mptcptest.Host{s.phone, s.server} {
			h.Sysctl("net.ipv4.tcp_rto_max_ms", ms)
			h.Sysctl("net.ipv4.tcp_retries2", 255)
		}
	}
	var up watch
	l, err := s.listen()
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(s.serverOptions()...)
	testgrpc.RegisterTestServiceServer(server, &service{every: soakEvery, up: &up, fail: s.fail})
	go server.Serve(listener{l, &s.serverConns})
	defer server.Stop()
	before := usage(t)

	ctx, cancel := context.WithTimeout(t.Context(), duration+2*patience)
	defer cancel()
	address := netip.AddrPortFrom(s.first.Addr(s.server), netip.MustParseAddrPort(l.Addr().String()).Port()).String()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	watches := make([]watch, streams)
	var clients []*grpc.ClientConn
	for i := range streams {
		if i%soakPerConn == 0 {
			s.stack = stack(len(clients) % 2)
			cc, err := s.dial(address)
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, cc)
		}
		client := testgrpc.NewTestServiceClient(clients[len(clients)-1])
		wg.Go(func() {
			r := rpc{every: soakEvery, down: &watches[i]}
			if err := r.run(ctx, client, stop); err != nil {
				s.fail(fmt.Errorf("stream %d: %w", i, err))
			}
			if r.seq != nil {
				s.fail(fmt.Errorf("stream %d: %w", i, r.seq))
			}
		})
	}
	for i := range watches {
		for watches[i].count() < 5 || !s.allJoined() {
			time.Sleep(10 * time.Millisecond)
			if ctx.Err() != nil || s.failed() != nil {
				t.Fatalf("the streams do not begin: %v, %v", ctx.Err(), s.failed())
			}
		}
		watches[i].start()
	}

	running := usage(t)
	flaps := s.flap(time.Now().Add(duration))
	time.Sleep(time.Second)
	after := usage(t)
	close(stop)
	slow := time.AfterFunc(10*time.Second, func() { t.Logf("streams have not ended:\n%s", s.state()) })
	wg.Wait()
	slow.Stop()
	messages, longest := 0, time.Duration(0)
	for i := range watches {
		messages += watches[i].count()
		longest = max(longest, watches[i].longest)
	}
	t.Logf("%d streams on %d connections, %d flaps: %d messages down, %d up, longest gap %v; before, running, after: %v, %v, %v",
		streams, len(clients), flaps, messages, up.count(), longest.Round(time.Millisecond), before, running, after)
	if err := s.failed(); err != nil {
		t.Error(err)
	}
	if longest > patience {
		t.Errorf("a stream stood still for %v", longest)
	}
	if n := len(s.clientConns.all); n != len(clients) {
		t.Errorf("%d connections were made for %d clients", n, len(clients))
	}
	if after.goroutines > running.goroutines+5 || after.fds > running.fds {
		t.Errorf("growth from %v to %v", running, after)
	}

	for _, cc := range clients {
		cc.Close()
	}
	server.Stop()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		// The listener is closed, and the watchdog has nothing to watch.
		if left := usage(t); left.goroutines <= before.goroutines && left.fds <= before.fds {
			break
		} else if time.Now().After(end) {
			t.Errorf("left behind: %v, there were %v", left, before)
			break
		}
	}
}

// flap takes one path away after the other, until end, and returns how often.
func (s *scene) flap(end time.Time) (n int) {
	pause := func(least, most time.Duration) {
		time.Sleep(min(least+rand.N(most-least), max(least, time.Until(end))))
	}
	for ; time.Now().Before(end); n++ {
		link := []*mptcptest.Link{s.first, s.second}[rand.N(2)]
		heal := link.Restore
		switch rand.N(4) {
		case 0:
			link.Cut()
		case 1:
			link.CutAt(s.phone)
		case 2:
			heal = link.Inject(mptcptest.DropAll())
		case 3:
			heal = link.From([]*mptcptest.Host{s.phone, s.server}[rand.N(2)]).Inject(mptcptest.DropAll())
		}
		pause(time.Second, 5*time.Second)
		heal()
		pause(0, time.Second)
	}
	return n
}

// allJoined says whether all connections use both paths.
func (s *scene) allJoined() bool {
	s.clientConns.mu.Lock()
	defer s.clientConns.mu.Unlock()
	for _, c := range s.clientConns.all {
		st, err := mptcp.Inspect(c)
		if n, _ := st.Subflows(); err != nil || n < 2 {
			return false
		}
	}
	return true
}

// state describes the connections at both ends, for whoever has to find out why
// one stands still.
func (s *scene) state() string {
	var b strings.Builder
	for _, end := range []*conns{&s.clientConns, &s.serverConns} {
		end.mu.Lock()
		for _, c := range end.all {
			status, err := mptcp.Inspect(c)
			sent, received, _ := status.Bytes()
			acked, _ := status.Acked()
			timeouts, again, _ := status.Retransmits()
			fmt.Fprintf(&b, "%v to %v: %v, %v: sent %d, acked %d, received %d, timeouts %d, sent again %d\n",
				c.LocalAddr(), c.RemoteAddr(), status, err, sent, acked, received, timeouts, again)
			subflows, _ := mptcp.Subflows(c)
			for _, x := range subflows {
				fmt.Fprintf(&b, "    %+v\n", x)
			}
		}
		end.mu.Unlock()
	}
	return b.String()
}

type used struct{ goroutines, fds int }

func (u used) String() string { return fmt.Sprintf("%d goroutines, %d fds", u.goroutines, u.fds) }

// usage counts what the process holds.
func usage(t *testing.T) used {
	t.Helper()
	runtime.GC()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return used{runtime.NumGoroutine(), len(fds)}
}
