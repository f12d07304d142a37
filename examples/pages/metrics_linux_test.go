package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

// A row is a line of the table in docs/metrics.md.
type row struct {
	name, prometheus, kind, unit string
	attributes                   []string
}

func table(t *testing.T) map[string]row {
	t.Helper()
	rows := make(map[string]row)
	for _, line := range lines(page(t, "metrics.md")) {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		bare := func(s string) string { return strings.Trim(s, "`") }
		r := row{name: bare(cells[0]), prometheus: bare(cells[1]), kind: cells[2], unit: bare(cells[3])}
		for a := range strings.SplitSeq(cells[4], ",") {
			if a = bare(strings.TrimSpace(a)); a != "" {
				r.attributes = append(r.attributes, a)
			}
		}
		slices.Sort(r.attributes)
		rows[r.name] = r
	}
	if len(rows) == 0 {
		t.Fatal("docs/metrics.md has no table")
	}
	return rows
}

// events has everything happen that there is an instrument for.
func events(t *testing.T, m *metrics.Metrics) {
	t.Helper()
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{})
	ln, err := (&transport.ListenConfig{NetListenConfig: server.ListenConfig()}).Listen(t.Context(), "tcp", ":80")
	check(t, err)
	t.Cleanup(func() { ln.Close() })
	d := &transport.Dialer{NetDialer: client.Dialer(), Memory: new(transport.Memory)}
	open := func() (c, s net.Conn) {
		c, err := d.Dial("tcp", link.Addr(server).String()+":80")
		check(t, err)
		s, err = ln.Accept()
		check(t, err)
		t.Cleanup(func() { c.Close(); s.Close() })
		exchange(t, c, s)
		return c, s
	}
	c, s := open()
	_, err = mptcp.Inspect(c)
	check(t, err)
	heal := link.Inject(mptcptest.StripMPTCP(mptcptest.Always)) // one is lost
	exchange(t, c, s)
	exchange(t, c, s)
	open() // one is none from the beginning
	heal()
	c, _ = open()
	ended := endings(t)
	before := ended()
	link.Inject(mptcptest.ResetAll()) // one is ended
	c.Write([]byte("x"))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a connection without a path lives on")
	}
	// The end is counted a moment after the reader is told.
	for end := time.Now().Add(20 * time.Second); ended() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a connection has ended, and is not counted")
		}
	}
	m.CountRPC(metrics.GRPC, "client", mptcp.Status{})
}

// endings returns a function that reads how many connections this process has
// ended.
func endings(t *testing.T) func() int64 {
	t.Helper()
	reader := sdk.NewManualReader()
	m, err := metrics.Register(sdk.NewMeterProvider(sdk.WithReader(reader)))
	check(t, err)
	t.Cleanup(func() { check(t, m.Unregister()) })
	return func() (n int64) {
		var rm metricdata.ResourceMetrics
		check(t, reader.Collect(context.Background(), &rm))
		for _, scope := range rm.ScopeMetrics {
			for _, m := range scope.Metrics {
				if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "mptcp.connection.ended" {
					for _, p := range sum.DataPoints {
						n += p.Value
					}
				}
			}
		}
		return n
	}
}

// exchange sends a byte each way.
func exchange(t *testing.T, c, s net.Conn) {
	t.Helper()
	for _, pair := range [][2]net.Conn{{c, s}, {s, c}} {
		pair[0].SetDeadline(time.Now().Add(10 * time.Second))
		pair[1].SetDeadline(time.Now().Add(10 * time.Second))
		_, err := pair[0].Write([]byte("x"))
		check(t, err)
		_, err = pair[1].Read(make([]byte, 1))
		check(t, err)
	}
}

// TestTable: the table in docs/metrics.md says what is exported, and all of it.
func TestTable(t *testing.T) {
	rows := table(t)
	reader := sdk.NewManualReader()
	prometheus := gathered(t, func(_ *sdk.MeterProvider, m *metrics.Metrics) {
		other, err := metrics.Register(sdk.NewMeterProvider(sdk.WithReader(reader)))
		check(t, err)
		defer other.Unregister()
		events(t, m)
		other.CountRPC(metrics.GRPC, "client", mptcp.Status{})
		var rm metricdata.ResourceMetrics
		check(t, reader.Collect(context.Background(), &rm))
		seen := make(map[string]bool)
		for _, scope := range rm.ScopeMetrics {
			for _, m := range scope.Metrics {
				r, ok := rows[m.Name]
				if !ok {
					t.Errorf("%s is not in the table", m.Name)
				}
				seen[m.Name] = true
				kind, attributes := describe(m.Data)
				if r.kind != kind || r.unit != m.Unit || !slices.Equal(r.attributes, attributes) {
					t.Errorf("%s is a %s in %q with %q, the table says: %s in %q with %q",
						m.Name, kind, m.Unit, attributes, r.kind, r.unit, r.attributes)
				}
				if m.Description == "" || !strings.HasSuffix(m.Description, ".") {
					t.Errorf("%s: description %q", m.Name, m.Description)
				}
			}
		}
		for name := range rows {
			if !seen[name] {
				t.Errorf("%s is in the table and is not exported", name)
			}
		}
	})
	inTable := map[string]bool{"target_info": true, "otel_scope_info": true} // these are the exporter's own
	for _, r := range rows {
		inTable[r.prometheus] = true
	}
	for name := range prometheus {
		if !inTable[name] {
			t.Errorf("Prometheus has %s, which is not in the table", name)
		}
	}
	for _, r := range rows {
		f := prometheus[r.prometheus]
		if f == nil {
			t.Errorf("Prometheus has no %s for %s, but %q", r.prometheus, r.name, slices.Sorted(maps.Keys(prometheus)))
			continue
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if !strings.HasPrefix(l.GetName(), "otel_scope_") && !slices.ContainsFunc(r.attributes, func(a string) bool {
					return strings.ReplaceAll(a, ".", "_") == l.GetName()
				}) {
					t.Errorf("%s has the label %s", r.prometheus, l.GetName())
				}
			}
		}
	}
	// Every attribute has a line of its own, with its values.
	for _, r := range rows {
		for _, a := range r.attributes {
			if !strings.Contains(page(t, "metrics.md"), "\n| `"+a+"` | ") {
				t.Errorf("docs/metrics.md does not say what %s can be", a)
			}
		}
	}
}

// describe returns the kind of an instrument and the keys of its attributes.
func describe(data metricdata.Aggregation) (kind string, attributes []string) {
	keys := make(map[string]bool)
	points := func(d []metricdata.DataPoint[int64]) {
		for _, p := range d {
			for _, kv := range p.Attributes.ToSlice() {
				keys[string(kv.Key)] = true
			}
		}
	}
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		kind = "up-down counter"
		if d.IsMonotonic {
			kind = "counter"
		}
		points(d.DataPoints)
	case metricdata.Gauge[int64]:
		kind = "gauge"
		points(d.DataPoints)
	case metricdata.Histogram[float64]:
		kind = "histogram"
		for _, p := range d.DataPoints {
			for _, kv := range p.Attributes.ToSlice() {
				keys[string(kv.Key)] = true
			}
		}
	default:
		kind = fmt.Sprintf("%T", data)
	}
	return kind, slices.Sorted(maps.Keys(keys))
}

// TestDashboard: the dashboard is one that Grafana can load, asks for nothing
// that is not exported, and shows every metric of the table.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ H, W, X, Y int }
			Targets                  []struct{ Expr, LegendFormat, RefID string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	check(t, json.Unmarshal([]byte(page(t, "grafana.json")), &dashboard))
	if dashboard.Title == "" || dashboard.UID == "" || dashboard.SchemaVersion == 0 || len(dashboard.Panels) == 0 {
		t.Errorf("not a dashboard: %+v", dashboard)
	}
	known := make(map[string][]string) // the labels of a series
	family := make(map[string]string)  // the metric that it is of
	for _, r := range table(t) {
		labels := []string{"job", "instance"}
		for _, a := range r.attributes {
			labels = append(labels, strings.ReplaceAll(a, ".", "_"))
		}
		known[r.prometheus], family[r.prometheus] = labels, r.prometheus
		if r.kind == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				known[r.prometheus+suffix], family[r.prometheus+suffix] = append(labels, "le"), r.prometheus
			}
		}
	}
	variables := map[string]bool{"__rate_interval": true}
	var expressions []string
	for _, v := range dashboard.Templating.List {
		variables[v.Name] = true
		expressions = append(expressions, v.Definition)
	}
	ids := make(map[int]bool)
	covered := make(map[[2]int]string)
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %d, %q: its number is not its own, or something is missing", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X < 0 || g.W < 1 || g.X+g.W > 24 {
			t.Errorf("%q is outside of the grid: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := covered[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies over %q", p.Title, other)
				}
				covered[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			expressions = append(expressions, target.Expr)
			for _, m := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !strings.Contains(target.Expr, m[1]) {
					t.Errorf("%q: the legend has %s and the query has not", p.Title, m[1])
				}
			}
		}
	}
	shown := make(map[string]bool)
	for _, e := range expressions {
		for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(e, -1) {
			if !variables[m[1]] {
				t.Errorf("there is no variable %s: %s", m[1], e)
			}
		}
		if strings.Count(e, "(") != strings.Count(e, ")") || strings.Count(e, "{") != strings.Count(e, "}") {
			t.Errorf("unbalanced: %s", e)
		}
		for _, m := range regexp.MustCompile(`\b(mptcp_\w+)({[^}]*})?`).FindAllStringSubmatch(e, -1) {
			name := m[1]
			if slices.ContainsFunc(slices.Collect(maps.Values(known)), func(l []string) bool { return slices.Contains(l, name) }) {
				continue // a label
			}
			labels, ok := known[name]
			if !ok {
				t.Errorf("nothing exports %s: %s", name, e)
			}
			for _, l := range regexp.MustCompile(`(\w+)\s*(?:=~|!=|!~|=)`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s has no label %s: %s", name, l[1], e)
				}
			}
			shown[family[name]] = true
		}
		for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(e, -1) {
			for l := range strings.SplitSeq(m[1], ",") {
				if l = strings.TrimSpace(l); !slices.ContainsFunc(slices.Collect(maps.Values(known)), func(k []string) bool { return slices.Contains(k, l) }) {
					t.Errorf("nothing has the label %s: %s", l, e)
				}
			}
		}
	}
	for _, r := range table(t) {
		if !shown[r.prometheus] {
			t.Errorf("no panel shows %s", r.prometheus)
		}
	}
}

// TestNames: what the pages call mptcp_something is the name of a metric or of
// a label.
func TestNames(t *testing.T) {
	known := make(map[string]bool)
	for _, r := range table(t) {
		known[r.prometheus] = true
		for _, a := range r.attributes {
			known[strings.ReplaceAll(a, ".", "_")] = true
		}
	}
	n := 0
	for _, title := range titles {
		for _, name := range regexp.MustCompile(`\bmptcp_\w+`).FindAllString(page(t, title), -1) {
			if n++; !known[name] {
				t.Errorf("%s: nothing is called %s", title, name)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d names were found", n)
	}
}
