// Package mptcp reports what Multipath TCP can do on this host, and what a
// connection, an RPC or a request is doing with it right now.
//
// Package net opens Multipath TCP sockets on Linux and falls back to TCP
// without saying so. This package answers the questions that leaves:
//
//   - [Probe]: can this process use Multipath TCP at all, and if not, why not?
//   - [Inspect]: does this connection use it, and if not, why not?
//   - [InspectAddr]: the same for a connection of which only the local address
//     is at hand, as in a gRPC or HTTP handler.
//   - [Subflows]: which paths does this connection use, and how well?
//   - [ReadCounters]: what has the kernel counted?
//
// The packages around it open connections (transport) and plug into gRPC
// (grpcdialer) and HTTP (httptransport):
//
//	conn, err := grpc.NewClient(target, append(grpcdialer.DialOptions(), creds)...)
//	server := grpc.NewServer(grpcdialer.ServerOptions()...)
//	listener, err := grpcdialer.Listen("tcp", ":443")
//	...
//	status, err := grpcdialer.FromContext(ctx) // in a handler
//
// # Answers
//
// Nothing here compares kernel versions: a feature is tried, not guessed. An
// answer has three values: yes, no (the error matches [errors.ErrUnsupported])
// and could not tell (any other error).
//
// A connection that fell back to TCP never returns to Multipath TCP, but one
// that uses Multipath TCP may fall back at any moment until a second subflow
// has joined it. So a status is read from the socket each time it is asked
// for, at the cost of one system call.
//
// # Kernels
//
// Everything works unprivileged on Linux 6.15 and later. Older kernels answer
// less, and tell why a connection fell back only with CAP_NET_ADMIN: each field and method says since when it is there. On other systems
// every function returns an error that matches [errors.ErrUnsupported].
package mptcp
