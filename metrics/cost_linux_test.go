package metrics_test

import (
	"context"
	"net"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

const many = 10_000

// open opens pairs of connections until the table has n more.
func open(tb testing.TB, n int) {
	tb.Helper()
	ln, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	// On a busy machine a dial that may use TCP would begin to.
	d := &transport.Dialer{Mode: transport.Require}
	conns := make([]net.Conn, 0, n)
	tb.Cleanup(func() {
		ln.Close()
		for _, c := range conns {
			c.Close()
		}
	})
	for range n / 2 {
		c, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		conns = append(conns, c)
		s, err := ln.Accept()
		if err != nil {
			tb.Fatal(err)
		}
		conns = append(conns, s)
	}
}

// A scrape is what Prometheus does, from the request to the text.
func newScrape(tb testing.TB) func() string {
	tb.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		tb.Fatal(err)
	}
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	m, err := metrics.Register(provider)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Unregister(); err != nil {
			tb.Error(err)
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	request := httptest.NewRequest("GET", "/metrics", nil)
	return func() string {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != 200 {
			tb.Fatalf("%d %s", response.Code, response.Body)
		}
		return response.Body.String()
	}
}

// The limits on one scrape.
const (
	timeLimit  = 100 * time.Millisecond
	bytesLimit = 5_000_000
)

// measure returns what a function takes, and what it and whatever else goes on
// meanwhile allocate.
func measure(f func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return took, after.TotalAlloc - before.TotalAlloc
}

// TestScrapeCost holds the limits on one scrape with 10,000 connections that use
// Multipath TCP. The bytes are those of every scrape, the first one included.
// The time is that of the best: the others say what else this machine was busy
// with.
func TestScrapeCost(t *testing.T) {
	scrape := newScrape(t)
	open(t, many)
	count := 0
	best, most := time.Hour, uint64(0)
	for n := 0; n < 5 || best > timeLimit && !raceEnabled && n < 100; n++ {
		var text string
		took, bytes := measure(func() { text = scrape() })
		best, most = min(best, took), max(most, bytes)
		if n > 0 {
			continue
		}
		t.Logf("the first scrape: %v, %d bytes", took, bytes)
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "mptcp_connection_count{") && strings.Contains(line, `mptcp_status="multipath"`) {
				n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndex(line, "}")+1:]))
				if err != nil {
					t.Fatal(err)
				}
				count += n
			}
		}
	}
	if count < many {
		t.Fatalf("%v connections, want %d", count, many)
	}
	t.Logf("%d connections: %v, %d bytes", many, best, most)
	if best > timeLimit && !raceEnabled {
		t.Errorf("one scrape takes %v, want less than %v", best, timeLimit)
	}
	if most > bytesLimit {
		t.Errorf("one scrape allocates %d bytes, want less than %d", most, bytesLimit)
	}
}

// dialed pretends that n dials are over.
func dialed(n int) {
	for i := range n {
		conntable.CountDial(uint8(mptcp.Multipath), time.Duration(i%1000)*time.Millisecond, conntable.Multipath, 1, 0)
	}
}

// counted is how many dials are in the histogram.
func counted(tb testing.TB, text string) (n int) {
	tb.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "mptcp_dial_duration_seconds_count{") && strings.Contains(line, `mptcp_status="multipath"`) {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, "}")+1:]), 64)
			if err != nil {
				tb.Fatal(err)
			}
			n += int(v)
		}
	}
	return n
}

// TestScrapeAfterDials: the first scrape after very many dials does not wait
// until they are recorded, and none of them is lost.
func TestScrapeAfterDials(t *testing.T) {
	scrape := newScrape(t)
	const n = 300_000
	best, all := time.Hour, counted(t, scrape())
	for try := 0; try < 2 || best > timeLimit && !raceEnabled && try < 10; try++ {
		dialed(n)
		all += n
		took, bytes := measure(func() { scrape() })
		best = min(best, took)
		if bytes > bytesLimit {
			t.Fatalf("one scrape allocates %d bytes, want less than %d", bytes, bytesLimit)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if got := counted(t, scrape()); got == all {
				break
			} else if got > all || time.Now().After(deadline) {
				t.Fatalf("%d dials are in the histogram, want %d", got, all)
			}
		}
	}
	t.Logf("the first scrape after %d dials: %v", n, best)
	if best > timeLimit && !raceEnabled {
		t.Errorf("one scrape takes %v, want less than %v", best, timeLimit)
	}
}

// BenchmarkScrapeAfterDials is the first scrape after a million dials.
func BenchmarkScrapeAfterDials(b *testing.B) {
	scrape := newScrape(b)
	all := counted(b, scrape())
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		const n = 1_000_000
		dialed(n)
		all += n
		b.StartTimer()
		scrape()
		b.StopTimer()
		for counted(b, scrape()) < all {
			time.Sleep(10 * time.Millisecond)
		}
		b.StartTimer()
	}
}

func BenchmarkScrape(b *testing.B) {
	scrape := newScrape(b)
	open(b, many)
	b.ReportAllocs()
	for b.Loop() {
		scrape()
	}
}

func BenchmarkCountRPC(b *testing.B) {
	p := newProbe(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.metrics.CountRPC(metrics.GRPC, "client", mptcp.Status{State: mptcp.Multipath})
		}
	})
}
