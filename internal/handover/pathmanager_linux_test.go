package handover

import (
	"context"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// fresh is a phone with two interfaces and nothing configured: no endpoints, the
// kernel's limits, no rules, and only the main routing table.
type fresh struct {
	t             *testing.T
	phone, server *mptcptest.Host
	wifi, lte     *mptcptest.Link
}

func newFresh(t *testing.T, c mptcptest.LinkConfig) *fresh {
	lab := mptcptest.New(t)
	f := &fresh{t: t, phone: lab.Host("phone"), server: lab.Host("server")}
	for _, h := range []*mptcptest.Host{f.phone, f.server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", congestionHere)
	}
	wifi, lte := c, c
	wifi.Name, lte.Name = "wifi", "lte"
	f.wifi, f.lte = lab.Link(f.phone, f.server, wifi), lab.Link(f.phone, f.server, lte)
	for _, family := range []string{"-4", "-6"} {
		for range 2 {
			f.ip(family, "rule", "del", "pref", "1000") // those of the laboratory
		}
		f.ip(family, "route", "flush", "table", "1001")
		f.ip(family, "route", "flush", "table", "1002")
	}
	return f
}

func (f *fresh) ip(args ...string) string {
	f.t.Helper()
	out, err := f.phone.Command("ip", args...).CombinedOutput()
	if err != nil {
		f.t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// state is what a plan may change, as ip(8) prints it.
func (f *fresh) state() string {
	f.t.Helper()
	var b strings.Builder
	for _, args := range []string{
		"mptcp endpoint show", "mptcp limits show", "rule", "-6 rule", "route show table all", "-6 route show table all",
	} {
		b.WriteString("# ip " + args + "\n" + f.ip(strings.Fields(args)...))
	}
	return b.String()
}

// do makes a plan and carries it out, on the phone.
func (f *fresh) do(plan func() (*pathmanager.Plan, error)) *pathmanager.Plan {
	f.t.Helper()
	var p *pathmanager.Plan
	var err error
	f.phone.Do(func() {
		if p, err = plan(); err == nil {
			err = p.Apply()
		}
	})
	if err != nil {
		f.t.Fatalf("%v\n%v", err, p)
	}
	return p
}

// sink counts what arrives.
type sink struct {
	testgrpc.UnimplementedTestServiceServer
	bytes atomic.Int64
}

func (s *sink) StreamingInputCall(stream grpc.ClientStreamingServer[testpb.StreamingInputCallRequest, testpb.StreamingInputCallResponse]) error {
	for {
		in, err := stream.Recv()
		if err != nil {
			return err
		}
		s.bytes.Add(int64(len(in.GetPayload().GetBody())))
	}
}

// An upload is a gRPC stream that never ends, and its connection.
type upload struct {
	sink  sink
	conns conns
	stop  func()
}

func (f *fresh) upload() *upload {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	u := &upload{stop: cancel}
	l, err := (&transport.ListenConfig{NetListenConfig: f.server.ListenConfig()}).Listen(ctx, "tcp", ":0")
	if err != nil {
		f.t.Fatal(err)
	}
	server := grpc.NewServer(grpcdialer.ServerOptions()...)
	testgrpc.RegisterTestServiceServer(server, &u.sink)
	go server.Serve(l)
	address := netip.AddrPortFrom(f.wifi.Addr(f.server), netip.MustParseAddrPort(l.Addr().String()).Port())
	cc, err := client("passthrough:///"+address.String(), &transport.Dialer{NetDialer: f.phone.Dialer()}, &u.conns)
	if err != nil {
		f.t.Fatal(err)
	}
	stream, err := testgrpc.NewTestServiceClient(cc).StreamingInputCall(ctx, grpc.WaitForReady(true))
	if err != nil {
		f.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m := &testpb.StreamingInputCallRequest{Payload: &testpb.Payload{Body: make([]byte, 16<<10)}}
		for {
			if err := stream.Send(m); err != nil {
				if ctx.Err() == nil {
					f.t.Errorf("the stream has ended: %v", err)
				}
				return
			}
		}
	}()
	f.t.Cleanup(func() {
		cancel()
		<-ended
		cc.Close()
		server.Stop()
	})
	return u
}

// rate is bits of messages in each second of a time.
func (u *upload) rate(d time.Duration) float64 {
	before, start := u.sink.bytes.Load(), time.Now()
	time.Sleep(d)
	return float64(u.sink.bytes.Load()-before) * 8 / time.Since(start).Seconds()
}

// from is the subflow from an address, nil if there is none.
func (u *upload) from(a netip.Addr) *mptcp.Subflow {
	c := u.conns.first()
	if c == nil {
		return nil
	}
	all, err := mptcp.Subflows(c)
	if err != nil {
		return nil
	}
	for _, s := range all {
		if s.Local.Addr().Unmap() == a && s.State == mptcp.TCPEstablished {
			return &s
		}
	}
	return nil
}

func (f *fresh) eventually(what string, ok func() bool) {
	f.t.Helper()
	for start := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > patience {
			f.t.Fatalf("not in %v: %s\n%s", patience, what, f.state())
		}
	}
}

// TestAggregate: one call, and a stream that is there already fills both paths;
// another, and all is as it was. The stream goes on by the path that it began
// on, unless that had an endpoint of its own, as Aggregate gives it.
func TestAggregate(t *testing.T) {
	const rate = 30 * mptcptest.Mbit
	f := newFresh(t, mptcptest.LinkConfig{Kernel: true, Rate: rate})
	before := f.state()
	u := f.upload()
	f.eventually("the stream begins", func() bool { return u.sink.bytes.Load() > 1<<20 })
	// Another program can only make it slower: the best of three counts.
	alone := func(when string) {
		var got float64
		for n := 0; n < 3 && got < 0.8*float64(rate); n++ {
			got = u.rate(2 * time.Second)
		}
		if got > 1.05*float64(rate) || got < 0.8*float64(rate) {
			t.Errorf("%.1f Mbit/s by the first path %s", got/1e6, when)
		}
	}
	alone("at first")
	for _, mode := range []pathmanager.Mode{pathmanager.Interactive, pathmanager.Aggregate} {
		f.do(pathmanager.Config{Mode: mode}.Plan)
		f.eventually("the second subflow", func() bool { return u.from(f.lte.Addr(f.phone)) != nil })
		time.Sleep(time.Second)
		var share float64
		for range 3 {
			sum := u.rate(4 * time.Second)
			share = max(share, sum/float64(2*rate))
			t.Logf("%v: %.1f Mbit/s, %.1f %% of the sum", mode, sum/1e6, 100*share)
			if share >= 0.9 {
				break
			}
		}
		if share < 0.9 {
			t.Errorf("%v: %.0f %% of the sum", mode, 100*share)
		}
		if mode == pathmanager.Aggregate {
			u.stop()
		}
		f.do(pathmanager.Config{}.Removal)
		if after := f.state(); after != before {
			t.Errorf("%v: before:\n%s\nafter:\n%s", mode, before, after)
		}
		if mode == pathmanager.Interactive {
			alone("when all was undone")
		}
	}
}

// TestBackup: the second path carries nothing until the first one dies, and then
// all; and all is as it was in the end.
func TestBackup(t *testing.T) {
	f := newFresh(t, mptcptest.LinkConfig{Rate: 20 * mptcptest.Mbit, Delay: 5 * time.Millisecond})
	before := f.state()
	f.do(pathmanager.Config{Mode: pathmanager.Handover}.Plan)
	u := f.upload()
	lte := f.lte.Addr(f.phone)
	f.eventually("the second subflow", func() bool { return u.from(lte) != nil })
	if rate := u.rate(3 * time.Second); rate < 15e6 {
		t.Errorf("%.1f Mbit/s by the first path", rate/1e6)
	}
	s := u.from(lte)
	if s == nil || s.BytesSent != 0 || s.BytesReceived != 0 {
		t.Errorf("the backup has carried something: %+v", s)
	}
	heal := f.wifi.Inject(mptcptest.DropAll())
	f.eventually("data by the second path", func() bool {
		s := u.from(lte)
		return s != nil && s.BytesAcked > 1<<20
	})
	if rate := u.rate(3 * time.Second); rate < 15e6 {
		t.Errorf("%.1f Mbit/s by the second path", rate/1e6)
	}
	heal()
	f.do(pathmanager.Config{}.Removal)
	if after := f.state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
