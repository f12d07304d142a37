// Package grpcdialer runs gRPC over Multipath TCP and tells, for each RPC and
// on both ends, whether Multipath TCP carried it and if not, why.
//
// One line on each side:
//
//	conn, err := grpc.NewClient(target, append(grpcdialer.DialOptions(), creds)...)
//
//	listener, err := grpcdialer.Listen("tcp", ":443")
//	server := grpc.NewServer(grpcdialer.ServerOptions()...)
//	server.Serve(listener)
//
// The client then asks with a call option, and a server in any handler:
//
//	var status mptcp.Status
//	reply, err := client.SayHello(ctx, request, grpcdialer.Status(&status))
//
//	status, err := grpcdialer.FromContext(ctx)
//
// [WithReporter] calls a function at the end of each RPC instead, and
// [WithTrailer] has the server tell its client what it saw.
//
// # What a custom dialer costs, and what is given back
//
// As soon as a gRPC client has a dialer of its own, gRPC-Go stops using the
// proxies of the environment, stops leaving it to the proxy to resolve names
// (gRFC A1), and leaves TCP keep-alive to the dialer. [DialOptions] restores
// all of this, and the dialer takes every address that gRPC's own one does:
// those of the dns, passthrough, unix and unix-abstract schemes and of any
// custom resolver.
//
// Connections are handed to gRPC as package net made them, never wrapped, and
// addresses and AuthInfo are gRPC's own. So nothing that looks at them breaks:
// channelz, stats handlers, credentials, binary logs, and gRPC's reader that
// pins no memory while a connection is idle.
//
// One thing Linux takes away: a connection that uses Multipath TCP refuses
// TCP_USER_TIMEOUT, which gRPC sets (gRFC A18) and whose failure it does not
// notice. [Listen] and [WithKeepaliveParams] give it back. gRPC's own
// keep-alive (gRFC A8, package keepalive) works as ever.
package grpcdialer
