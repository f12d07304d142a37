package pathmanager

import (
	"context"
	"log/slog"
	"os"
	"time"
)

// Manager keeps a [Config] in effect while interfaces, addresses and routes come
// and go. The zero value does so for the [Handover] between all paths. The
// fields must not be changed while it runs.
type Manager struct {
	Config Config

	// NetNS is the network namespace, as in [DialIn]. Nil: that of the thread
	// that calls Run.
	NetNS *os.File

	// Logger hears of each change, and of what was left alone and why. Nil:
	// nobody does.
	Logger *slog.Logger

	// Keep leaves everything as it is when Run ends, for the next Run to take
	// over: connections do not notice that a program was restarted. Without it
	// Run removes all that it has made; see there for what connections lose.
	Keep bool

	// SilentAfter removes the endpoint of a path that has gone silent though its
	// interface is up: one on which data of a connection of this process (opened
	// by package transport) has not been acknowledged for three round trips, four
	// times their deviation and this long, while another path of the connection
	// is not silent. Then all connections of the host that use the address go on
	// by other paths at once, where otherwise each would stand still for most of
	// a second. The endpoint comes back to see whether the path answers, after a
	// second and then at intervals that double up to a minute.
	//
	// Less than 50 ms takes delayed acknowledgements for silence. Each connection
	// is looked at a hundred times a second, which takes 3 microseconds. Zero:
	// paths are not judged.
	SilentAfter time.Duration
}

// Run keeps the configuration in effect until the context ends, and then undoes
// everything, as [Config.Removal] does. It returns nil if that has succeeded.
//
// It hears of changes from the kernel, and within some milliseconds
//
//   - removes the endpoint of a path whose interface goes down, loses its
//     carrier, its address or its default route, or disappears. Connections
//     then go on by the other paths without a gap, where they would otherwise
//     stand still for most of a second,
//   - adds one for each path that appears: connections use it at once,
//   - makes another path the one that is not a backup, with [Handover],
//   - puts back rules, routes and endpoints of its own that somebody has
//     removed. Nobody is told of endpoints: Run looks when subflows close, and
//     every ten seconds, also for NetworkManager and mptcpd. What somebody else
//     has put in the place of an endpoint is left to him.
//
// The endpoints of the last path stay, since a subflow that may wake up is
// better than none. They go when another path comes.
//
// A subflow that has ended while its path is there, by a reset or a timeout, is
// not opened again by Linux. Run does so for connections that this host has begun
// at one of the endpoints: after a second and then at intervals that double, three
// times if the peer refuses, else eight times in four minutes. It takes nothing from other connections. Those that lack
// nothing may try to open a second subflow of the path, which is closed at once;
// that takes the kernel's CONFIG_INET_DIAG_DESTROY. Where eight endpoints are in
// use there is no room for it.
//
// If the first plan cannot be carried out, Run returns why. It needs
// CAP_NET_ADMIN in the user namespace that owns the network namespace. Later
// failures are logged, and tried again at intervals of up to ten seconds.
//
// When the endpoints are removed in the end, connections lose all subflows from
// their addresses, the first one included. One that is left without a subflow
// gets an error after the sysctl net.mptcp.close_timeout, 60 s. Linux has no way
// to delete an endpoint and leave its subflows. See [Manager.Keep].
func (m *Manager) Run(ctx context.Context) error { return m.run(ctx) }
