package lab

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// stage is a network of its own for one stream.
type stage struct {
	phone, server *mptcptest.Host
	first, second *mptcptest.Link
}

func newStage(t mptcptest.TB, s Script) *stage {
	n := mptcptest.New(t)
	st := &stage{phone: n.Host("phone"), server: n.Host("server")}
	link := func(p Path) *mptcptest.Link {
		return n.Link(st.phone, st.server, mptcptest.LinkConfig{Name: p.Link, Rate: p.Rate, Delay: p.Delay})
	}
	st.first, st.second = link(s.First), link(s.Second)
	st.phone.AddEndpoint(st.second.Addr(st.phone), mptcptest.Subflow)
	for _, h := range []*mptcptest.Host{st.phone, st.server} {
		// With BBR both streams would show what BBR does to Multipath TCP.
		if strings.HasPrefix(h.ReadSysctl("net.ipv4.tcp_congestion_control"), "bbr") {
			h.Sysctl("net.ipv4.tcp_congestion_control", "reno")
		}
	}
	return st
}

func (st *stage) listen(mode transport.Mode) (net.Listener, error) {
	lc := transport.ListenConfig{NetListenConfig: st.server.ListenConfig(), Mode: mode}
	return lc.Listen(context.Background(), "tcp", net.JoinHostPort(st.first.Addr(st.server).String(), "0"))
}

func (st *stage) dialer(mode transport.Mode) *transport.Dialer {
	return &transport.Dialer{NetDialer: st.phone.Dialer(), Mode: mode, Memory: new(transport.Memory)}
}

// Run plays the script and returns when it has ended, or when ctx has: then
// with what was seen until then. It must run in a laboratory: within
// mptcptest.Main.
func Run(ctx context.Context, s Script, o Observer) (*Result, error) {
	t := new(tb)
	r := &Result{Script: s}
	var err error
	if failed := t.run(func() { err = play(ctx, t, r, o) }); failed != nil {
		return nil, failed
	}
	return r, err
}

func play(ctx context.Context, t *tb, r *Result, o Observer) error {
	var stages [2]*stage
	var streams [2]*stream
	for i, mode := range []transport.Mode{transport.Off, transport.Require} {
		stages[i] = newStage(t, r.Script)
		l, err := stages[i].listen(mode)
		if err != nil {
			return err
		}
		defer l.Close()
		// Only the connecting has a limit: a busy machine takes its time to build.
		begin, cancel := context.WithTimeout(ctx, 10*time.Second)
		streams[i], err = open(begin, l, stages[i].dialer(mode).DialContext)
		cancel()
		if err != nil {
			return err
		}
		defer streams[i].close()
	}
	tcp, multipath := streams[0], streams[1]

	// What has arrived before both had begun does not count.
	start := time.Now()
	tcp.restart(start)
	multipath.restart(start)
	zero := read(0, stages, streams)
	r.zero = zero
	r.Samples = []Sample{{Subflows: zero.Subflows}}
	heal := func() {}
	defer func() { heal() }()
	ticker := time.NewTicker(r.Script.Tick)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		at := time.Since(start)
		r.Samples = append(r.Samples, read(at, stages, streams).since(zero))
		switch {
		case r.CutAt == 0 && at >= r.Script.Cut:
			heal, r.CutAt = cut(stages), at
			o.Event(at, Cut)
		case r.CutAt != 0 && r.BackAt == 0 && at >= r.Script.Back:
			heal()
			heal, r.BackAt = func() {}, at
			o.Event(at, Back)
		}
		o.Sample(r)
		if at >= r.Script.End {
			break
		}
	}
	now := time.Now()
	for i, end := range []*Stream{&r.TCP, &r.MPTCP} {
		*end = streams[i].end(start, now)
		if status, err := mptcp.Inspect(streams[i].client); err == nil {
			end.State = status.String()
		}
	}
	return nil
}

// cut kills the first path of both networks without telling anybody: the
// hosts' interfaces stay up, as those of a phone do that is carried away from
// its access point.
func cut(stages [2]*stage) (heal func()) {
	a := stages[0].first.Inject(mptcptest.DropAll())
	b := stages[1].first.Inject(mptcptest.DropAll())
	return func() { a(); b() }
}

func read(at time.Duration, stages [2]*stage, streams [2]*stream) Sample {
	carried := func(i int, l *mptcptest.Link) uint64 {
		return l.From(stages[i].server).Stats().Bytes
	}
	s := Sample{
		At: at, TCP: streams[0].received.Load(), MPTCP: streams[1].received.Load(),
		TCPFirst: carried(0, stages[0].first), TCPSecond: carried(0, stages[0].second),
		First: carried(1, stages[1].first), Second: carried(1, stages[1].second),
	}
	if status, err := mptcp.Inspect(streams[1].client); err == nil {
		s.Subflows, _ = status.Subflows()
	}
	return s
}

// since subtracts what was there at the beginning. The counters of the streams
// have begun there.
func (s Sample) since(zero Sample) Sample {
	s.TCPFirst -= zero.TCPFirst
	s.TCPSecond -= zero.TCPSecond
	s.First -= zero.First
	s.Second -= zero.Second
	return s
}
