// Package pathmanager speaks to the kernel's Multipath TCP path manager, which
// decides from which addresses of this host a connection gets more subflows,
// and which addresses the peer is told of.
//
// A [Client] reads and changes the endpoints and limits of a network namespace,
// hears of everything that happens to its connections, and steers single
// connections where the path manager was put into the hands of a program:
//
//	c, err := pathmanager.Dial()
//	defer c.Close()
//	err = c.AddEndpoint(pathmanager.Endpoint{Addr: lte, Flags: pathmanager.Subflow | pathmanager.Backup})
//
// Reading needs no privilege (some kernels before Linux 6.18 want one for
// endpoints). Everything else needs CAP_NET_ADMIN in the user namespace that
// owns the network namespace, and says so when it fails: [Client.AddEndpoint]
// and all that changes something, and [Client.Events].
//
// # Kernels
//
// The path manager is the generic netlink family "mptcp_pm" (linux/mptcp_pm.h
// and, for the flags, linux/mptcp.h; Documentation/netlink/specs/mptcp_pm.yaml).
// Endpoints and limits exist from Linux 5.6 on, events from 5.12, the commands
// of [Connection] from 5.19. What this kernel does not have fails with an error
// that matches [errors.ErrUnsupported], as does everything on other systems.
// What it has beyond what this package knows is kept, as an [Attribute].
package pathmanager
