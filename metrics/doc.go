// Package metrics shows what Multipath TCP does in a process as OpenTelemetry
// metrics, and the end of each connection as a line of a log.
//
//	m, err := metrics.Register(provider)
//	...
//	grpcdialer.WithReporter(func(_ context.Context, r grpcdialer.Report) {
//		m.CountRPC(metrics.GRPC, r.Side.String(), r.Status)
//	})
//
// The instruments are those of the table in docs/metrics.md, which a test
// compares with what is exported. They cover the connections that package
// transport has opened, its dials, and what the kernel has counted.
//
// Nothing is measured on the way of data: all instruments are observable, and
// everything is read when the metrics are collected, at the cost of one system
// call for each connection that uses Multipath TCP. 10,000 connections take
// some 20 milliseconds.
//
// No attribute has an address, a name of a host, or anything else that grows
// with the number of peers. What the attributes can be is fixed; see
// docs/metrics.md.
//
// The package works beside otelgrpc and otelhttp, and shares no name with
// them.
package metrics
