package metrics_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// A scene is a client with two paths to an echo server. Both ends log.
type scene struct {
	client, server *mptcptest.Host
	first, second  *mptcptest.Link
	address        string
	log            *diary
}

func newScene(t *testing.T) *scene {
	t.Helper()
	lab := mptcptest.New(t)
	s := &scene{client: lab.Host("client"), server: lab.Host("server"), log: new(diary)}
	s.first = lab.Link(s.client, s.server, mptcptest.LinkConfig{Name: "first"})
	s.second = lab.Link(s.client, s.server, mptcptest.LinkConfig{Name: "second"})
	lc := transport.ListenConfig{NetListenConfig: s.server.ListenConfig(), OnChange: metrics.LogEnds(s.log.logger())}
	ln, err := lc.Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	echo(t, ln)
	port := netip.MustParseAddrPort(ln.Addr().String()).Port()
	s.address = netip.AddrPortFrom(s.first.Addr(s.server), port).String()
	return s
}

func (s *scene) dial(t *testing.T) net.Conn {
	t.Helper()
	return dial(t, &transport.Dialer{
		NetDialer: s.client.Dialer(), Memory: new(transport.Memory), OnChange: metrics.LogEnds(s.log.logger()),
	}, s.address)
}

// A diary keeps what was logged.
type diary struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (d *diary) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(d, nil)) }

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.Write(p)
}

// lines waits for n lines, and for a moment longer, and returns them by role.
func (d *diary) lines(t *testing.T, n int) (dialed, accepted []map[string]any) {
	t.Helper()
	eventually(t, "the ends are logged", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return bytes.Count(d.b.Bytes(), []byte{'\n'}) >= n
	})
	time.Sleep(200 * time.Millisecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	for line := range strings.Lines(d.b.String()) {
		m := make(map[string]any)
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if m["role"] == "dialed" {
			dialed = append(dialed, m)
		} else {
			accepted = append(accepted, m)
		}
	}
	if len(dialed)+len(accepted) != n {
		t.Fatalf("%d lines, want %d:\n%s", len(dialed)+len(accepted), n, d.b.String())
	}
	return dialed, accepted
}

func TestTwoSubflows(t *testing.T) {
	p, s := newProbe(t), newScene(t)
	s.client.AddEndpoint(s.second.Addr(s.client), mptcptest.Subflow)
	before := p.read()
	c := s.dial(t)
	exchange(t, c, 1000)
	eventually(t, "both ends have two subflows", func() bool {
		now := p.read().since(before)
		return now["mptcp.subflow.count{mptcp.role=dialed}"] == 2 && now["mptcp.subflow.count{mptcp.role=accepted}"] == 2
	})
	time.Sleep(time.Second) // OnChange has looked since
	c.Close()

	dialed, accepted := s.log.lines(t, 2)
	for _, line := range slices.Concat(dialed, accepted) {
		if line["level"] != "INFO" || line["msg"] != "connection ended" || line["status"] != "multipath" ||
			line["sent"] != 1000.0 || line["received"] != 1000.0 || line["lasted"].(float64) < 1e9 || line["reason"] != nil {
			t.Errorf("%v", line)
		}
	}
	d, a := dialed[0], accepted[0]
	if d["remote"] != s.address || a["local"] != s.address || d["local"] != a["remote"] || d["subflows"] != 2.0 {
		t.Errorf("%v\n%v", d, a)
	}
	if d["dialed"] == nil || a["dialed"] != nil {
		t.Errorf("%v\n%v", d, a)
	}
}

// TestLost: a connection that falls back in mid-stream is counted once, however
// often anybody looks.
func TestLost(t *testing.T) {
	p, s := newProbe(t), newScene(t)
	before := p.read()
	c := s.dial(t)
	exchange(t, c, 100)
	p.read()
	s.first.Inject(mptcptest.StripMPTCP(mptcptest.Always))
	exchange(t, c, 100)
	exchange(t, c, 100)
	for range 3 {
		p.read()
	}
	p.read().since(before).expect(t, []string{"mptcp.connection.lost", "mptcp.connection.count"}, reading{
		"mptcp.connection.lost{mptcp.reason=mid-stream,mptcp.role=dialed}":   1,
		"mptcp.connection.lost{mptcp.reason=mid-stream,mptcp.role=accepted}": 1,
		"mptcp.connection.count{mptcp.role=dialed,mptcp.status=fallback}":    1,
		"mptcp.connection.count{mptcp.role=accepted,mptcp.status=fallback}":  1,
	})
	c.Close()
	dialed, accepted := s.log.lines(t, 2)
	for _, line := range slices.Concat(dialed, accepted) {
		if line["level"] != "INFO" || line["status"] != "fallback" || line["reason"] != "mid-stream" || line["sent"] != nil {
			t.Errorf("%v", line)
		}
	}
}

// TestEnded: a connection whose last path was reset is ended, and that is a
// warning.
func TestEnded(t *testing.T) {
	p, s := newProbe(t), newScene(t)
	before := p.read()
	c := s.dial(t)
	exchange(t, c, 100)
	time.Sleep(500 * time.Millisecond) // OnChange has looked since
	s.first.Inject(mptcptest.ResetAll())
	c.Write([]byte("x"))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("the connection lives on")
	}
	eventually(t, "the end is counted", func() bool { // the reader may be faster
		return p.read().since(before)["mptcp.connection.ended{mptcp.reason=no-subflow,mptcp.role=dialed}"] == 1
	})
	c.Close()
	dialed, _ := s.log.lines(t, 1)
	if line := dialed[0]; line["level"] != "WARN" || line["status"] != "unknown" || line["reason"] != "no-subflow" || line["sent"] == nil {
		t.Errorf("%v", line)
	}
}

// TestSYNDropped: the reason for which a dial had to use TCP, and what it cost.
func TestSYNDropped(t *testing.T) {
	p, s := newProbe(t), newScene(t)
	s.first.Inject(mptcptest.DropMPTCPSYN())
	before := p.read()
	s.dial(t)
	now := p.read().since(before)
	now.expect(t, []string{"mptcp.connection.established", "mptcp.dial.attempts", "mptcp.dial.duration_count"}, reading{
		"mptcp.connection.established{mptcp.reason=syn-dropped,mptcp.role=dialed,mptcp.status=fallback}": 1,
		"mptcp.connection.established{mptcp.reason=not-offered,mptcp.role=accepted,mptcp.status=tcp}":    1,
		"mptcp.dial.attempts{mptcp.outcome=unused,mptcp.protocol=mptcp}":                                 2,
		"mptcp.dial.attempts{mptcp.outcome=connected,mptcp.protocol=tcp}":                                1,
		"mptcp.dial.duration_count{mptcp.status=fallback}":                                               1,
	})
	if took := now["mptcp.dial.duration_sum{mptcp.status=fallback}"]; took < 0.25 || took > 1 {
		t.Errorf("the dial took %v s, want some 0.26", took)
	}
}

// TestElsewhere: the attempts of a dial that another local address has saved
// are counted with those that were in vain.
func TestElsewhere(t *testing.T) {
	p, s := newProbe(t), newScene(t)
	s.first.Inject(mptcptest.DropAll())
	before := p.read()
	dial(t, &transport.Dialer{
		NetDialer: s.client.Dialer(), Memory: new(transport.Memory), Sources: []netip.Addr{s.second.Addr(s.client)},
	}, s.address)
	now := p.read().since(before)
	now.expect(t, []string{"mptcp.dial.attempts", "mptcp.dial.duration_count"}, reading{
		"mptcp.dial.attempts{mptcp.outcome=connected,mptcp.protocol=mptcp}": 1,
		"mptcp.dial.attempts{mptcp.outcome=unused,mptcp.protocol=mptcp}":    1,
		"mptcp.dial.attempts{mptcp.outcome=unused,mptcp.protocol=tcp}":      1,
		"mptcp.dial.duration_count{mptcp.status=multipath}":                 1,
	})
	if took := now["mptcp.dial.duration_sum{mptcp.status=multipath}"]; took < 0.5 || took > 2 {
		t.Errorf("the dial took %v s, want some 0.5", took)
	}
}

func TestLogEndsOfNothing(t *testing.T) {
	if metrics.LogEnds(nil) != nil {
		t.Error("without a logger there is nothing to call")
	}
	quiet := slog.New(slog.NewJSONHandler(new(diary), &slog.HandlerOptions{Level: slog.LevelError}))
	d := &transport.Dialer{Memory: new(transport.Memory), OnChange: metrics.LogEnds(quiet)}
	dial(t, d, server(t, transport.Prefer)).Close()
}

// TestAttributes: whatever has happened in the tests before this one, the
// attributes are those that are documented, their values are fixed words, and
// nothing else makes a series.
func TestAttributes(t *testing.T) {
	p := newProbe(t)
	words := func(list ...string) []string { return list }
	var reasons []string
	for r := mptcp.ReasonUnknown; r <= mptcp.ReasonNoSubflow; r++ {
		reasons = append(reasons, r.String())
	}
	counters, err := mptcp.ReadCounters()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range counters {
		names = append(names, name)
	}
	values := map[string][]string{
		"mptcp.role":           words("dialed", "accepted", "client", "server"),
		"mptcp.status":         words("unknown", "tcp", "fallback", "multipath", "failed"),
		"mptcp.reason":         reasons,
		"mptcp.protocol":       words("mptcp", "tcp"),
		"mptcp.outcome":        words("connected", "unused"),
		"mptcp.socket.option":  words("congestion-control", "user-timeout"),
		"mptcp.rpc.system":     words("grpc", "http", "other"),
		"network.io.direction": words("transmit", "receive"),
		"mptcp.kernel.counter": names,
	}
	address := server(t, transport.Prefer)
	for range 1000 { // from a thousand ports
		c, err := new(transport.Dialer).Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	series := p.read()
	for k := range series {
		_, attributes, _ := strings.Cut(strings.TrimSuffix(k, "}"), "{")
		for kv := range strings.SplitSeq(attributes, ",") {
			key, value, _ := strings.Cut(kv, "=")
			if key != "" && !slices.Contains(values[key], value) {
				t.Errorf("%s: %s is not documented as a value of %s", k, value, key)
			}
		}
	}
	// 2×4 and 2 of now; 2×4×18 and twice 2×18 of the past, of which a process
	// meets few; 2; 4; 2; 3×2×4; 2×5; 1; the kernel's.
	if limit := 100 + len(counters); len(series) > limit {
		t.Errorf("%d series, want no more than %d", len(series), limit)
	}
}
