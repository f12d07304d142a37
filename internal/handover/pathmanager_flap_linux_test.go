package handover

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// ticking is a stream that ticks in both directions.
type ticking struct {
	up, down watch
	conns    conns
	stop     chan struct{}
	done     chan error
}

// tick begins one, from the phone to the server's first address.
func (f *fresh) tick(fail func(error)) *ticking {
	f.t.Helper()
	s := &ticking{stop: make(chan struct{}), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(f.t.Context())
	l, err := (&transport.ListenConfig{NetListenConfig: f.server.ListenConfig()}).Listen(ctx, "tcp", ":0")
	if err != nil {
		f.t.Fatal(err)
	}
	server := grpc.NewServer(grpcdialer.ServerOptions()...)
	testgrpc.RegisterTestServiceServer(server, &service{every: tickEvery, up: &s.up, down: &s.down, fail: fail})
	go server.Serve(l)
	address := netip.AddrPortFrom(f.wifi.Addr(f.server), netip.MustParseAddrPort(l.Addr().String()).Port())
	cc, err := client("passthrough:///"+address.String(), &transport.Dialer{NetDialer: f.phone.Dialer()}, &s.conns)
	if err != nil {
		f.t.Fatal(err)
	}
	stream := rpc{every: tickEvery, down: &s.down, up: &s.up}
	go func() {
		err := stream.run(ctx, testgrpc.NewTestServiceClient(cc), s.stop)
		if err == nil {
			err = stream.seq
		}
		s.done <- err
	}()
	f.t.Cleanup(func() {
		cancel()
		cc.Close()
		server.Stop()
	})
	f.eventually("the stream begins", func() bool { return s.up.count() > 10 && s.down.count() > 10 })
	return s
}

// end ends the stream in good order.
func (s *ticking) end(t *testing.T) {
	t.Helper()
	close(s.stop)
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("the stream: %v", err)
		}
	case <-time.After(patience):
		t.Error("the stream does not end")
	}
}

// alive ends the test at once, and says why, if the stream has ended.
func (s *ticking) alive(t *testing.T) {
	t.Helper()
	select {
	case err := <-s.done:
		status, inspectErr := mptcp.Inspect(s.conns.first())
		t.Fatalf("the stream has ended: %v; its connection: %v, %v", err, status, inspectErr)
	default:
	}
}

// subflows are the local addresses of those that are established.
func (s *ticking) subflows() (local []netip.Addr) {
	all, err := mptcp.Subflows(s.conns.first())
	if err != nil {
		return nil
	}
	for _, f := range all {
		if f.State == mptcp.TCPEstablished {
			local = append(local, f.Local.Addr().Unmap())
		}
	}
	slices.SortFunc(local, netip.Addr.Compare)
	return local
}

// manage runs a Manager on the phone. The function ends it.
func (f *fresh) manage(m pathmanager.Manager) (stop func() error) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	m.Logger = slog.New(slog.NewTextHandler(logWriter{f.t}, nil))
	go f.phone.Do(func() { ended <- m.Run(ctx) })
	var err error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			select {
			case err = <-ended:
			case <-time.After(patience):
				f.t.Error("Run does not end")
			}
		}
		return err
	}
	f.t.Cleanup(func() { stop() })
	return stop
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	if line := string(b); testing.Verbose() && w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(line[strings.Index(line, "msg="):]))
	}
	return len(b), nil
}

// endpoints are the addresses that have one.
func (f *fresh) endpoints() (all []netip.Addr) {
	f.t.Helper()
	f.phone.Do(func() {
		c, err := pathmanager.Dial()
		if err != nil {
			f.t.Error(err)
			return
		}
		defer c.Close()
		endpoints, err := c.Endpoints()
		if err != nil {
			f.t.Error(err)
		}
		for _, e := range endpoints {
			all = append(all, e.Addr)
		}
	})
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// configured is what the Manager has made: the endpoints, as "address flags dev
// interface", and the rules, as "address priority table". Both are sorted.
func (f *fresh) configured() (endpoints, rules []string) {
	f.t.Helper()
	for line := range strings.Lines(f.ip("mptcp", "endpoint")) {
		words := strings.Fields(line)
		i := slices.Index(words, "id") // another one each time
		endpoints = append(endpoints, strings.Join(slices.Delete(words, i, i+2), " "))
	}
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(f.ip(family, "rule")) {
			if strings.Contains(line, "proto 130") {
				words := strings.Fields(line)
				rules = append(rules, words[2]+" "+words[0]+" "+words[4])
			}
		}
	}
	slices.Sort(endpoints)
	slices.Sort(rules)
	return endpoints, rules
}

// should is what the Manager should have made of links that are alive.
func (f *fresh) should(links []*mptcptest.Link) (endpoints, rules []string) {
	f.t.Helper()
	links = slices.Clone(links)
	slices.SortFunc(links, func(a, b *mptcptest.Link) int { // wifi has the better metric
		return strings.Compare(b.Name(), a.Name())
	})
	for i, l := range links {
		flags := "subflow"
		if i > 0 {
			flags += " backup"
		}
		index, err := strconv.Atoi(strings.Split(f.ip("-o", "link", "show", "dev", l.Name()), ":")[0])
		if err != nil {
			f.t.Fatal(err)
		}
		for _, a := range []netip.Addr{l.Addr(f.phone), l.Addr6(f.phone)} {
			endpoints = append(endpoints, fmt.Sprintf("%v %s dev %s", a, flags, l.Name()))
			rules = append(rules, fmt.Sprintf("%v 7100: %d", a, 7100+index), fmt.Sprintf("%v 7101: main", a),
				fmt.Sprintf("%v 7102: %d", a, 7100+index))
		}
	}
	slices.Sort(endpoints)
	slices.Sort(rules)
	return endpoints, rules
}

// routes lists the routes of both families, sorted: those of the Manager, or the
// others that are not the laboratory's own tables. An interface that has been in
// another namespace has a link-local address of its own.
func (f *fresh) routes(managed bool) string {
	f.t.Helper()
	var all []string
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(f.ip(family, "route", "show", "table", "all")) {
			if line = strings.TrimSpace(line); strings.Contains(line, "proto 130") == managed &&
				!strings.Contains(line, "fe80:") && !strings.Contains(line, " table 1001 ") && !strings.Contains(line, " table 1002 ") {
				all = append(all, line)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// parked returns the process number of something that lives in a host.
func parked(t *testing.T, h *mptcptest.Host) string {
	t.Helper()
	cmd := h.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	pid := fmt.Sprint(cmd.Process.Pid)
	for range 1000 {
		if comm, _ := os.ReadFile("/proc/" + pid + "/comm"); string(comm) == "sleep\n" {
			return pid
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("sleep does not start")
	return ""
}

// TestManagerFlaps: interfaces vanish and return at random under a stream. It
// lives, what is configured is each time what there is, and nothing accumulates.
func TestManagerFlaps(t *testing.T) {
	flaps := envInt("HANDOVER_FLAPS", 50)
	if testing.Short() {
		flaps = 5
	}
	f := newFresh(t, mptcptest.LinkConfig{Delay: 2 * time.Millisecond})
	elsewhere := mptcptest.New(t).Host("elsewhere")
	here, there := parked(t, f.phone), parked(t, elsewhere)
	before, untouched := f.state(), f.routes(false)
	held := usage(t)
	stop := f.manage(pathmanager.Manager{})
	s := f.tick(func(err error) { t.Error(err) })

	live := []*mptcptest.Link{f.wifi, f.lte}
	endpoints, rules := f.should(live)
	var slowest time.Duration
	settle := func(what string) {
		t.Helper()
		s.alive(t)
		if len(live) > 0 {
			endpoints, rules = f.should(live) // else those of the last path stay
		}
		start := time.Now()
		f.eventually(fmt.Sprintf("%s: endpoints %q and rules %q", what, endpoints, rules), func() bool {
			e, r := f.configured()
			if len(live) == 0 { // the interface may be gone, and has no name then
				for i := range e {
					e[i], _, _ = strings.Cut(e[i], " dev ")
				}
				return slices.EqualFunc(e, endpoints, func(have, want string) bool { return strings.HasPrefix(want, have+" dev ") }) &&
					slices.Equal(r, rules)
			}
			return slices.Equal(e, endpoints) && slices.Equal(r, rules)
		})
		slowest = max(slowest, time.Since(start))
	}
	settle("at first")
	f.eventually("both paths are used", func() bool { return len(s.subflows()) == 2 })
	s.up.start()
	s.down.start()

	run := func(h *mptcptest.Host, args ...string) {
		t.Helper()
		if out, err := h.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v\n%s", args, err, out)
		}
	}
	away := make(map[*mptcptest.Link]bool)
	kinds := []struct {
		name       string
		lose, heal func(l *mptcptest.Link)
	}{
		{"cut", (*mptcptest.Link).Cut, (*mptcptest.Link).Restore},
		{"cut here", func(l *mptcptest.Link) { l.CutAt(f.phone) }, (*mptcptest.Link).Restore},
		{"address", func(l *mptcptest.Link) { l.RemoveAddr(f.phone) }, func(l *mptcptest.Link) { l.AddAddr(f.phone) }},
		{"gone", func(l *mptcptest.Link) {
			run(f.phone, "link", "set", l.Name(), "netns", there)
			away[l] = true
		}, (*mptcptest.Link).Restore},
	}
	back := func(l *mptcptest.Link) {
		t.Helper()
		if away[l] {
			run(elsewhere, "link", "set", l.Name(), "netns", here)
			delete(away, l)
		}
	}
	tables := func() string { return f.routes(true) }
	routes := tables()
	running := usage(t)
	for n := range flaps {
		victims := slices.Clone(live)
		rand.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
		if rand.N(8) > 0 {
			victims = victims[:1] // the others: both at once
		}
		var heal []func()
		gone := 0
		for _, l := range victims {
			k := kinds[rand.N(len(kinds))]
			if k.name == "gone" {
				gone++
			}
			live = slices.DeleteFunc(live, func(x *mptcptest.Link) bool { return x == l })
			k.lose(l)
			heal = append(heal, func() { k.heal(l) })
			settle(fmt.Sprintf("flap %d, %s %s", n, l.Name(), k.name))
			time.Sleep(rand.N(200 * time.Millisecond))
		}
		if gone > 0 && len(victims) == 2 {
			// The laboratory restores a link only when all are there, and then all.
			for _, l := range victims {
				back(l)
			}
			for _, h := range heal {
				h()
			}
			live = append(live, victims...)
			settle(fmt.Sprintf("flap %d, both back", n))
			continue
		}
		for i, l := range victims {
			back(l)
			heal[i]()
			live = append(live, l)
			settle(fmt.Sprintf("flap %d, %s back", n, l.Name()))
			time.Sleep(rand.N(200 * time.Millisecond))
		}
	}
	f.eventually("both paths are used again", func() bool {
		s.alive(t)
		return len(s.subflows()) == 2
	})
	after := usage(t)
	t.Logf("%d flaps: slowest change of endpoints %v, longest gap up %v, down %v; before %v, running %v, after %v",
		flaps, slowest, s.up.gap().Round(time.Millisecond), s.down.gap().Round(time.Millisecond), held, running, after)
	if after.fds > running.fds || after.goroutines > running.goroutines+2 {
		t.Errorf("growth from %v to %v", running, after)
	}
	f.eventually("the same routes as at first", func() bool { return tables() == routes })
	if len(s.conns.all) != 1 {
		t.Errorf("%d connections were made", len(s.conns.all))
	}
	s.end(t)
	if err := stop(); err != nil {
		t.Error(err)
	}
	others := func(state string) string {
		before, _, _ := strings.Cut(state, "# ip route")
		return before
	}
	if now := f.state(); others(now) != others(before) || strings.Contains(now, "proto 130") {
		t.Errorf("before:\n%s\nafter:\n%s", before, now)
	}
	// The laboratory makes routes of its own anew, in another order, and the
	// kernel those of an IPv6 address when it has been checked.
	f.eventually("the routes that there were before", func() bool { return f.routes(false) == untouched })
}
