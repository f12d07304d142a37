// Package mptcpz shows what Multipath TCP is doing in this process, live, on a
// page at /debug/mptcp/:
//
//	mux.Handle("/debug/mptcp/", mptcpz.Handler(nil))
//
// The page says whether this host can use Multipath TCP, how many connections
// do and why the others do not, what each subflow carries, which of the
// kernel's counters move, and what happens, a second later at most. It lists the
// connections that package transport has opened, which includes those of
// grpcdialer and httptransport. Connections that come and go between two samples
// are not in the list; an event says how many they were, and what.
//
// Beside the page there is the same as JSON, for scripts:
//
//	state.json  one answer, at most 100 connections of it; see below
//	events      the same once a second, as server-sent events
//
// Both take the query parameters page, size (of a page, at most 100), sort
// (newest, oldest, busiest), state, reason, role (dialed, accepted) and q (a
// part of an address). Fields may be added to the JSON, and are not renamed.
//
// # Who may look
//
// Nobody but this host, unless [Config] says otherwise. The page changes
// nothing, asks no other host for anything, and shows addresses and counters
// but neither keys nor data.
//
// # What it costs
//
// Nothing while nobody looks. While somebody does, one sample a second is taken
// for all viewers together, at the cost of one system call for each connection:
// some 20 milliseconds for 10,000 connections. Subflows, which cost more, are
// read for the connections on the page that is looked at. What was sampled is
// forgotten a minute after the last look.
package mptcpz
