package main

import (
	"fmt"
)

// A kernel is one that the tests are run in.
type kernel struct {
	Series string // as uname -r begins
	Suite  string // of Debian; its newest kernel is used
	Newer  bool   // the suite does not keep the series: what is newer is held to the same
	Truth  truth
}

// kernels are those of the table. What is true of each is from the kernel's
// history and source; where Debian's differs from what the series began with,
// the comment says so.
var kernels = []kernel{
	{Series: "5.10", Suite: "bullseye", Truth: truth{Without: true}},
	{Series: "6.1", Suite: "bookworm", Truth: truth{
		InfoSize: 48, Checksum: true, Userspace: true, EndpointsMax: 8,
	}},
	{Series: "6.12", Suite: "trixie", Truth: truth{
		InfoSize: 96, Checksum: true, Userspace: true, ConnectionEndpoints: true, EndpointsMax: 8,
		// The last of them came with 6.17, and was brought to the stable kernels.
		Counters: []string{"Blackhole", "MPCapableSYNTXDisabled", "MPCurrEstab", "MPCapableDataFallback"},
	}},
	{Series: "7.2", Suite: "sid", Newer: true, Truth: truth{
		InfoSize: 96, Checksum: true, Userspace: true, ConnectionEndpoints: true, EndpointsMax: 255,
		Counters: []string{"Blackhole", "MPCapableSYNTXDisabled", "MPCurrEstab", "MPCapableDataFallback"},
	}},
}

// A truth is what is so in a kernel, whatever this module says.
type truth struct {
	Without             bool     // Debian has built it without Multipath TCP
	InfoSize            int      // bytes of struct mptcp_info
	Checksum            bool     // there is net.mptcp.checksum_enabled
	Userspace           bool     // a program can be the path manager
	ConnectionEndpoints bool     // of such a connection can be listed
	EndpointsMax        int      // endpoints that a namespace holds
	Counters            []string // that it has, of [newCounters]; it has no others of them
}

// is says whether a kernel with this release, as uname -r has it, is one that
// what is true here is said of.
func (k *kernel) is(release string) bool {
	series := seriesOf(release)
	return series == k.Series || k.Newer && after(series, k.Series)
}

// called says whether the name is this kernel's: its series or its suite.
func (k *kernel) called(name string) bool { return k.Series == name || k.Suite == name }

// seriesOf is what a release begins with: "6.12" of "6.12.94+deb13-cloud-amd64".
// It is empty if the release does not begin so.
func seriesOf(release string) string {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return ""
	}
	return fmt.Sprintf("%d.%d", major, minor)
}

// after says whether a series came after another.
func after(a, b string) bool {
	var x, y [2]int
	_, errX := fmt.Sscanf(a, "%d.%d", &x[0], &x[1])
	_, errY := fmt.Sscanf(b, "%d.%d", &y[0], &y[1])
	return errX == nil && errY == nil && (x[0] > y[0] || x[0] == y[0] && x[1] > y[1])
}

// newCounters came in the course of time.
var newCounters = []string{"Blackhole", "MPCapableSYNTXDisabled", "MPCurrEstab", "MPCapableDataFallback"}
