package metrics_test

import (
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

func dial(t testing.TB, d *transport.Dialer, address string) net.Conn {
	t.Helper()
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var all = []string{
	"mptcp.connection.count", "mptcp.connection.established", "mptcp.connection.lost", "mptcp.connection.ended",
	"mptcp.subflow.count", "mptcp.io", "mptcp.dial.duration_count", "mptcp.dial.attempts", "mptcp.rpc.count",
}

// TestConnections follows one connection that uses Multipath TCP and one that
// does not.
func TestConnections(t *testing.T) {
	p := newProbe(t)
	d := &transport.Dialer{Memory: new(transport.Memory)}
	both, tcp := server(t, transport.Prefer), server(t, transport.Off)
	before := p.read()

	first, second := dial(t, d, both), dial(t, d, tcp)
	exchange(t, first, 1000)
	exchange(t, second, 500)
	now := p.read().since(before)
	now.expect(t, all, reading{
		"mptcp.connection.count{mptcp.role=dialed,mptcp.status=multipath}":                                1,
		"mptcp.connection.count{mptcp.role=accepted,mptcp.status=multipath}":                              1,
		"mptcp.connection.count{mptcp.role=dialed,mptcp.status=fallback}":                                 1,
		"mptcp.connection.count{mptcp.role=accepted,mptcp.status=tcp}":                                    1,
		"mptcp.connection.established{mptcp.role=dialed,mptcp.status=multipath}":                          1,
		"mptcp.connection.established{mptcp.role=accepted,mptcp.status=multipath}":                        1,
		"mptcp.connection.established{mptcp.reason=not-answered,mptcp.role=dialed,mptcp.status=fallback}": 1,
		"mptcp.connection.established{mptcp.reason=not-requested,mptcp.role=accepted,mptcp.status=tcp}":   1,
		"mptcp.subflow.count{mptcp.role=dialed}":                                                          1,
		"mptcp.subflow.count{mptcp.role=accepted}":                                                        1,
		"mptcp.io{network.io.direction=transmit}":                                                         2000, // both ends
		"mptcp.io{network.io.direction=receive}":                                                          2000,
		"mptcp.dial.duration_count{mptcp.status=multipath}":                                               1,
		"mptcp.dial.duration_count{mptcp.status=fallback}":                                                1,
		"mptcp.dial.attempts{mptcp.outcome=connected,mptcp.protocol=mptcp}":                               2,
	})

	first.Close()
	second.Close()
	eventually(t, "connections are closed", func() bool {
		n := 0
		for k := range p.read().since(before) {
			if strings.HasPrefix(k, "mptcp.connection.count") || strings.HasPrefix(k, "mptcp.subflow.count") {
				n++
			}
		}
		return n == 0
	})
}

// TestShortLived: connections that nobody has looked at while they lived are
// counted all the same, and so are their bytes as far as somebody has looked.
func TestShortLived(t *testing.T) {
	p := newProbe(t)
	address := server(t, transport.Prefer)
	d := &transport.Dialer{Memory: new(transport.Memory)}
	before := p.read()
	const n = 100
	for range n {
		c, err := d.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, c, 10)
		if _, err := mptcp.Inspect(c); err != nil { // as a reporter does at the end of an RPC
			t.Error(err)
		}
		c.Close()
		runtime.GC()
	}
	var got reading
	eventually(t, "all are accepted", func() bool {
		got = p.read().since(before)
		return got["mptcp.connection.established{mptcp.role=accepted,mptcp.status=multipath}"] == n
	})
	if v := got["mptcp.connection.established{mptcp.role=dialed,mptcp.status=multipath}"]; v != n {
		t.Errorf("%v connections, want %d", v, n)
	}
	if v := got["mptcp.dial.duration_count{mptcp.status=multipath}"]; v != n {
		t.Errorf("%v dials, want %d", v, n)
	}
	if v := got["mptcp.io{network.io.direction=transmit}"]; v < 10*n || v > 20*n {
		t.Errorf("%v bytes, want at least the %d that were dialed", v, 10*n)
	}
}

// TestDialDuration: the sum of the histogram is the sum of the durations, and
// a dial that fails is in it.
func TestDialDuration(t *testing.T) {
	p := newProbe(t)
	address := server(t, transport.Prefer)
	d := &transport.Dialer{Memory: new(transport.Memory)}
	before := p.read()
	var sum time.Duration
	for range 20 {
		c := dial(t, d, address)
		record, _ := transport.Lookup(c.LocalAddr()).Dial()
		sum += record.Duration
	}
	now := p.read().since(before)
	if got := now["mptcp.dial.duration_sum{mptcp.status=multipath}"]; got < sum.Seconds()*0.999 || got > sum.Seconds()*1.001 {
		t.Errorf("the sum is %v s, want %v", got, sum)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	before = p.read()
	if _, err := d.Dial("tcp", closed.Addr().String()); err == nil {
		t.Fatal("nobody listens")
	}
	// The last of the connections may be accepted only now.
	p.read().since(before).expect(t, []string{"mptcp.dial.duration_count", "mptcp.dial.attempts"}, reading{
		"mptcp.dial.duration_count{mptcp.status=failed}":                 1,
		"mptcp.dial.attempts{mptcp.outcome=unused,mptcp.protocol=mptcp}": 1,
		"mptcp.dial.attempts{mptcp.outcome=unused,mptcp.protocol=tcp}":   1,
	})
}

// TestTwoProviders: each has everything, and once.
func TestTwoProviders(t *testing.T) {
	p, q := newProbe(t), newProbe(t)
	before, first := p.read(), q.read()
	dial(t, &transport.Dialer{Memory: new(transport.Memory)}, server(t, transport.Prefer))
	for name, now := range map[string]reading{"first": p.read().since(before), "second": q.read().since(first)} {
		if n := now["mptcp.dial.duration_count{mptcp.status=multipath}"]; n != 1 {
			t.Errorf("%s: %v dials, want 1", name, n)
		}
	}
}

// TestKernel: what the kernel has counted in this network namespace.
func TestKernel(t *testing.T) {
	p := newProbe(t)
	address := server(t, transport.Prefer)
	before := p.read()
	c := dial(t, &transport.Dialer{Memory: new(transport.Memory)}, address)
	exchange(t, c, 1)
	counters, err := mptcp.ReadCounters()
	if err != nil {
		t.Fatal(err)
	}
	now := p.read()
	if now["mptcp.host.available"] != 1 {
		t.Errorf("mptcp.host.available is %v, want 1", now["mptcp.host.available"])
	}
	for _, name := range []string{"MPCapableSYNTX", "MPCapableSYNACKRX"} {
		if got := now.since(before)["mptcp.kernel.events{mptcp.kernel.counter="+name+"}"]; got != 1 {
			t.Errorf("%s moved by %v, want 1", name, got)
		}
	}
	if got := now["mptcp.kernel.connection.count"]; got != float64(counters["MPCurrEstab"]) || got < 2 {
		t.Errorf("%v established connections, want MPCurrEstab, %d", got, counters["MPCurrEstab"])
	}
	n := 0
	for k := range now {
		if strings.HasPrefix(k, "mptcp.kernel.events{") {
			n++
		}
	}
	if n != len(counters)-1 { // without MPCurrEstab
		t.Errorf("%d counters, want %d", n, len(counters)-1)
	}
}

func TestCountRPC(t *testing.T) {
	p := newProbe(t)
	before := p.read()
	multipath := mptcp.Status{State: mptcp.Multipath}
	p.metrics.CountRPC(metrics.GRPC, "client", multipath)
	p.metrics.CountRPC(metrics.GRPC, "client", multipath)
	p.metrics.CountRPC(metrics.HTTP, "server", mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonMidStream})
	p.metrics.CountRPC("10.1.2.3", "nobody", mptcp.Status{State: 200}) // is bounded
	p.read().since(before).expect(t, []string{"mptcp.rpc.count"}, reading{
		"mptcp.rpc.count{mptcp.role=client,mptcp.rpc.system=grpc,mptcp.status=multipath}": 2,
		"mptcp.rpc.count{mptcp.role=server,mptcp.rpc.system=http,mptcp.status=fallback}":  1,
		"mptcp.rpc.count{mptcp.role=server,mptcp.rpc.system=other,mptcp.status=unknown}":  1,
	})
	if n := testing.AllocsPerRun(100, func() { p.metrics.CountRPC(metrics.GRPC, "client", multipath) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestNothing(t *testing.T) {
	if _, err := metrics.Register(nil); err == nil || !strings.Contains(err.Error(), "otel.GetMeterProvider") {
		t.Errorf("no provider: %v", err)
	}
	var m *metrics.Metrics
	m.CountRPC(metrics.GRPC, "client", mptcp.Status{})
	if err := m.Unregister(); err != nil {
		t.Error(err)
	}
}

// TestUnregister: nothing is observed after it.
func TestUnregister(t *testing.T) {
	p := newProbe(t)
	if len(p.read()) == 0 {
		t.Fatal("nothing is observed")
	}
	if err := p.metrics.Unregister(); err != nil {
		t.Fatal(err)
	}
	for k := range p.read() {
		if !strings.HasPrefix(k, "mptcp.dial.duration") {
			t.Errorf("%s is still there", k)
		}
	}
}

// TestRegisterAgain: what is registered a second time begins with what comes
// after that, and counts no dial twice.
func TestRegisterAgain(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	p := &probe{t: t, reader: reader}
	const count = "mptcp.dial.duration_count{mptcp.status=multipath}"
	address := server(t, transport.Prefer)
	for n := range 3 {
		var err error
		if p.metrics, err = metrics.Register(provider); err != nil {
			t.Fatal(err)
		}
		dial(t, &transport.Dialer{Memory: new(transport.Memory)}, address)
		if got := p.read()[count]; got != float64(n+1) {
			t.Errorf("%v dials after %d", got, n+1)
		}
		if err := p.metrics.Unregister(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrent collects, counts, dials and closes at the same time.
func TestConcurrent(t *testing.T) {
	p := newProbe(t)
	address := server(t, transport.Prefer)
	d := &transport.Dialer{Memory: new(transport.Memory)}
	before := p.read()
	var wg sync.WaitGroup
	const n = 50
	for range 3 {
		wg.Go(func() {
			for range n {
				c, err := d.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				p.metrics.CountRPC(metrics.HTTP, "client", mptcp.Status{})
				c.Close()
			}
		})
		wg.Go(func() {
			for range n {
				last := p.read()
				if next := p.read(); next["mptcp.io{network.io.direction=transmit}"] < last["mptcp.io{network.io.direction=transmit}"] {
					t.Error("a counter went down")
				}
			}
		})
	}
	wg.Wait()
	now := p.read().since(before)
	for _, k := range []string{
		"mptcp.rpc.count{mptcp.role=client,mptcp.rpc.system=http,mptcp.status=unknown}",
		"mptcp.dial.duration_count{mptcp.status=multipath}",
		"mptcp.connection.established{mptcp.role=dialed,mptcp.status=multipath}",
	} {
		if now[k] != 3*n {
			t.Errorf("%s: %v, want %d", k, now[k], 3*n)
		}
	}
}
