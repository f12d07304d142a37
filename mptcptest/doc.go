// Package mptcptest is a laboratory for Multipath TCP: hosts, links between
// them, and everything that goes wrong on a link, in one test process, with no
// privilege and no trace on the machine. It is to networks what
// net/http/httptest is to servers.
//
// The tests of a package move into the laboratory with
//
//	func TestMain(m *testing.M) { mptcptest.Main(m) }
//
// and then begin by describing a network:
//
//	lab := mptcptest.New(t)
//	phone, server := lab.Host("phone"), lab.Host("server")
//	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Delay: 5 * time.Millisecond, Rate: 50 * mptcptest.Mbit})
//	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte", Delay: 30 * time.Millisecond, Rate: 20 * mptcptest.Mbit})
//	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)
//
// # Hosts
//
// A [Host] is a network namespace. Its sockets are ordinary Go connections,
// made by an ordinary [net.Dialer] and [net.ListenConfig] with the Control
// function set, so that whatever takes those (gRPC, net/http, this module's
// transport package) lives in that host, from any goroutine. A [Host] also has
// the path manager's endpoints and limits, sysctls, counters and child
// processes, with or without privilege.
//
// # Links
//
// A [Link] is a wire with a rate, a delay, jitter, loss and an MTU, apart for
// each direction, IPv4 and IPv6 on it, and a forwarder in this process on which
// faults are switched while traffic runs: see [Link.Inject] and [Fault]. A
// kernel link ([LinkConfig.Kernel]) has no delay and no faults other than
// [Link.Cut], and costs nothing: it is for measuring throughput.
//
// Addresses are predictable: the first link of a network is 10.1.0.0/24 and
// fd00:1::/64, with .1 and ::1 at the host named first and .2 and ::2 at the
// other, the second is 10.2.0.0/24, and so on.
//
// The host named first in a link chooses its path by the source address: what
// has the address of a link leaves by that link and by no other, to whatever
// address of the host at the other end. Name the host with several paths first.
// A packet whose sender did not choose an address goes by the link that its
// destination is on, or else by the first that is up.
//
// # How far to trust it
//
// A wire is a user of the machine's processors, as is the test. Measured with
// bulk TCP on a busy virtual machine with two cores, Linux 6.18, for the sum of
// all wires that carry traffic at a time:
//
//   - up to 100 Mbit/s the rate is exact within 1 %;
//   - up to 200 Mbit/s it is within 5 %, and up to 500 Mbit/s within 10 %;
//   - an unlimited wire carries some 800 Mbit/s, which says nothing about
//     Multipath TCP;
//   - a delay is exact within half a millisecond while a processor is free, and
//     within some milliseconds while all are busy.
//
// A kernel link limited to 100 Mbit/s gave 99, to 1 Gbit/s 955 Mbit/s, and
// without a limit 16 Gbit/s. BenchmarkBulk and BenchmarkDelay measure all this
// again. If a wire was too slow to take what came, [Stats] has overruns, and the
// table at the end of the test says so.
//
// Linux starts every namespace with the congestion control of the machine. With
// BBR, measure nothing: its subflows are slower than those of others.
//
// While wires exist GOMAXPROCS is raised, by four for each.
//
// # Requirements
//
// Linux with user namespaces and Multipath TCP, and no external program. Where
// a namespace cannot be made, [Main] says what to change and fails. Set
// MPTCPTEST_REQUIRE=1 where laboratories must work, such as in continuous
// integration: then [MainOptional] fails as well instead of skipping.
package mptcptest
