// Package transport dials and accepts TCP connections that use Multipath TCP
// when both ends and the path between them allow it, and that cost no more
// than TCP when they do not.
//
// Connections are returned as package net made them, never wrapped, so that
// sendfile, splice, socket options and type assertions to [*net.TCPConn] keep
// working. They are remembered in a table of live connections, so that
// [mptcp.Inspect] and [mptcp.InspectAddr] can tell what a connection is doing
// and how it came about, and [Connections] can list them.
//
// # The dial
//
// A [Dialer] sends a SYN with the Multipath TCP option. If that is not
// answered within the head start, it dials TCP beside it; if it is refused, it
// dials TCP at once. A destination that answers only without the option is
// remembered, so that later dials to it do not wait. In no case does a SYN
// leave after the dial's deadline or cancellation, and an attempt that is not
// answered is given up before the kernel would conclude that the whole network
// namespace cannot use Multipath TCP.
package transport
