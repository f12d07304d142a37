package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc/peer"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/grpcdialer"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/metrics"
	"github.com/multipath-go/mptcp/transport"
)

func statusTable() table {
	t := table{
		name: "status", title: "What a status and metrics cost",
		note:    "One call, of a Multipath TCP connection with one subflow among a thousand ends of connections.",
		figures: []figure{{"ns", true}, {"allocations", true}},
	}
	add := func(name string, prepare func(*lab, *net.TCPConn) func() error) {
		t.cases = append(t.cases, testCase{name: name, rounds: 5, prepare: func(l *lab) []way {
			f := prepare(l, thousand(l))
			return []way{{ours, func(l *lab) []float64 { return benchmark(l, f) }}}
		}})
	}
	add("mptcp.Inspect", func(_ *lab, c *net.TCPConn) func() error {
		return func() error { _, err := mptcp.Inspect(c); return err }
	})
	add("mptcp.InspectAddr", func(_ *lab, c *net.TCPConn) func() error {
		local := c.LocalAddr()
		return func() error { _, err := mptcp.InspectAddr(local); return err }
	})
	add("mptcp.Subflows", func(_ *lab, c *net.TCPConn) func() error {
		return func() error { _, err := mptcp.Subflows(c); return err }
	})
	add("mptcp.ReadCounters", func(*lab, *net.TCPConn) func() error {
		return func() error { _, err := mptcp.ReadCounters(); return err }
	})
	add("grpcdialer.FromContext", func(_ *lab, c *net.TCPConn) func() error {
		ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: c.RemoteAddr(), LocalAddr: c.LocalAddr()})
		return func() error { _, err := grpcdialer.FromContext(ctx); return err }
	})
	add("httptransport.FromRequest", func(_ *lab, c *net.TCPConn) func() error {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.LocalAddr()))
		return func() error { _, err := httptransport.FromRequest(r); return err }
	})
	add("metrics.CountRPC", func(l *lab, c *net.TCPConn) func() error {
		m, err := metrics.Register(metric.NewMeterProvider())
		l.check(err)
		l.Cleanup(func() { l.check(m.Unregister()) })
		s, err := mptcp.Inspect(c)
		l.check(err)
		return func() error { m.CountRPC(metrics.GRPC, "client", s); return nil }
	})
	add("one collection of metrics", func(l *lab, _ *net.TCPConn) func() error {
		reader := metric.NewManualReader()
		m, err := metrics.Register(metric.NewMeterProvider(metric.WithReader(reader)))
		l.check(err)
		l.Cleanup(func() { l.check(m.Unregister()) })
		var data metricdata.ResourceMetrics
		return func() error { return reader.Collect(l, &data) }
	})
	return t
}

// thousand opens connections, and returns one of them.
func thousand(l *lab) *net.TCPConn {
	ln, address := loopback.listen(l, ours)
	d := &transport.Dialer{Memory: new(transport.Memory)}
	var last net.Conn
	for range 500 {
		c, err := d.DialContext(l, "tcp", address)
		l.check(err)
		l.Cleanup(func() { c.Close() })
		s, err := ln.Accept()
		l.check(err)
		l.Cleanup(func() { s.Close() })
		exchange(l, c, s)
		last = c
	}
	return last.(*net.TCPConn)
}
