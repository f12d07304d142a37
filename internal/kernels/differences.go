package main

import "regexp"

// differences are the tests that fail on some of the kernels for a reason that
// is the kernel's.
var differences = []difference{
	{
		On: on{"5.10": 12}, Suite: "root", Test: all,
		Says: words(`built without Multipath TCP|protocol not supported|has no Multipath TCP counters|` +
			`this kernel answers MPTCP_INFO|first subflow has id 0$|: with descriptors again: unknown, <nil>$|(client|server): tcp, <nil>$|^tcp$|^0 established 127.0.0.1$`),
		Why: "the test needs Multipath TCP, and this module said that the kernel is built without it, or that the connection uses TCP.",
	},
	{
		On: on{"5.10": 152}, Suite: "transport", Test: all,
		Says: words(`built without Multipath TCP|protocol not supported|this kernel has no Multipath TCP|has no Multipath TCP counters|host-without|` +
			`/proc/sys/net/mptcp/enabled: no such file|: tcp, want fallback |may have called FailNow on a parent test|` +
			`: protocol 6, <nil>$|^dialed false$`),
		Why: "the test needs Multipath TCP, and this module said that the kernel is built without it, or that the connection uses TCP.",
	},
	{
		On: on{"5.10": 1, "6.1": 1}, Suite: "transport", Test: words("TestAcceptSurvives"), Says: words(`test timed out|connect: connection timed out$`),
		Why: "in a user namespace this kernel does not show net.core.somaxconn, so that package net's listener keeps 128 " +
			"connections that nobody has accepted, and the test makes 200.",
	},
	{
		On: on{"6.1": 1}, Suite: "root", Test: words("TestInspectUntracked"), Says: words(`: 0 subflows, false$`),
		Why: "the kernel tells neither the number of subflows nor bytes, and this module says so.",
	},
	{
		On: on{"6.1": 2}, Suite: "root", Test: words("ExampleSubflows|TestSubflowReaders"), Says: words(`^0 established|first subflow has id 0$`),
		Why: "before Linux 6.5 subflows have no identities.",
	},
	{
		On: on{"6.1": 8}, Suite: "transport",
		Test: words(`TestOnChangeHeard|TestUnclog|TestOnChange/unacknowledged|TestLimbo/.*_had_two_.*|TestLimboLeavesRoom(ForTheFirst)?`),
		Says: words(`not told of a subflow$|: 0 subflows, (false: )?want 2$|: want "multipath 1" at the end$`),
		Why:  "the test waits to be told of subflows, whose number the kernel does not tell.",
	},
	{
		On: on{"6.1": 7}, Suite: "transport", Test: words(`TestOnChange/.*|TestDrain/.*|TestLateLook`), Says: words(`: not confirmed after data$`),
		Why: "the test waits until the connection is confirmed, and before Linux 6.5 only a second subflow confirms one.",
	},
	{
		On: on{"6.1": 3}, Suite: "transport", Test: words(`TestLimbo/(dialed,_idle|dialed,_timed_out|accepted,_idle)`),
		Says: words(`a blocked read failed after [13]\.[0-9]+s$`), Most: true,
		Why: "the kernel does not tell the number of subflows, and the state of the first, which is looked at instead, shows its " +
			"end a second later.",
	},
	{
		On: on{"6.1": 3}, Suite: "pathmanager", Test: words(`TestManagerRepairs|TestManagerSpares/.*`),
		Says: words(`not in 15s: subflows from \["10\.1\.0\.1" "10\.2\.0\.1"\]$`),
		Why:  "the kernel opens no subflow from the address of the first one again.",
	},
	{
		On: on{"6.1": 1}, Suite: "pathmanager", Test: words(`TestInteractive/the_second_is_better,_and_the_first_costly`),
		Says: words(`: 0 of [0-9]+ bytes by the better path$`),
		Why:  "the kernel goes on with the first subflow although its endpoint is a backup.",
	},
	{
		On: on{"6.1": 1}, Suite: "pathmanager", Test: words(`TestAggregateAnnounce`), Says: words(`not in 15s: subflows between \[`),
		Why: "the kernel opens fewer than the four subflows that there are between two addresses at each end.",
	},
	{
		On: on{"6.1": 1}, Suite: "transport", Test: words(`TestWiden`), Says: words(`: as much as it holds: `),
		Why: "before Linux 6.10 no option makes the receive buffer of a Multipath TCP connection larger without ending its growth.",
	},
	{
		On: on{"6.1": 1}, Suite: "root", Test: words(`TestInspectWithoutDescriptors`), Says: words(`: without descriptors: unknown, <nil>$`),
		Why: "before Linux 6.10 a socket has to be made to learn whether the kernel would tell of Multipath TCP, and there is no descriptor.",
	},
	{
		On: on{"6.1": 1, "6.12": 1}, Suite: "pathmanager", Test: words("TestSwitchedOff"), Says: words(`sysctl -w net\.mptcp\.pm_type=0, which is 1$`),
		Why: "before Linux 6.15 the sysctl is net.mptcp.pm_type, and this module says so.",
	},
	{
		On: on{"6.1": 4}, Suite: "transport", Test: words(`TestDialStates/.*`), Says: words(`not confirmed after data$`),
		Why: "the kernel does not tell whether data was acknowledged, and this module says that it is not confirmed.",
	},
	{
		On: on{"6.1": 4}, Suite: "pathmanager", Test: words(`TestEvents/IPv[46]|TestDialIn|TestEventsEnd`), Says: words(`no event listener-created|test timed out`),
		Why: "events of listeners are Linux 6.2.",
	},
	{
		On: on{"6.1": 2}, Suite: "transport", Test: words(`TestReasons/SYN_dropped,_kernel_IPv[46]`),
		Says: words(`: tcp, want fallback \(syn-dropped\)$`),
		Why: "the kernel does not do without the option by itself, package net dials TCP after two minutes, and that is what " +
			"this module says.",
	},
	{
		On: on{"6.1": 2}, Suite: "transport", Test: words(`TestReasons/kernel_suppressed_IPv[46]`),
		Says: words(`: multipath, want fallback \(host-suppressed\)$`),
		Why:  "the kernel keeps no memory of paths that drop the option, and the connection uses Multipath TCP.",
	},
	{
		On: on{"6.1": 12, "6.12": 16}, Suite: "transport", Test: words(`TestReasons(Accepted)?/.*`),
		Says: words(`: fallback, want fallback \((not-answered|first-data|mid-stream|syn-dropped|host-suppressed)\)$`),
		Why: "before Linux 6.15 inet_diag keeps the state of the handshake from processes without CAP_NET_ADMIN, and this " +
			"module gives no reason.",
	},
	{
		On: on{"6.1": 1, "6.12": 1}, Suite: "pathmanager", Test: words("TestEndpoints"), Says: words(` id 255\], <nil>, want$`),
		Why: "before Linux 6.18 the kernel takes an endpoint with the flag laminar, and forgets the flag.",
	},
	{
		On: on{"6.1": 2, "6.12": 2}, Suite: "pathmanager", Test: words("TestConnection/IPv[46]"),
		Says: words(`: making subflow from .* a backup: invalid argument does not match file does not exist$`),
		Why:  "the kernel says EINVAL where newer ones say that there is no such subflow.",
	},
	{
		On: on{"6.1": 1}, Suite: "pathmanager", Test: words("TestUnprivileged"),
		Says: words(`unsupported operation: Linux can from 6\.10 on does not match file does not exist$`),
		Why:  "addresses of single connections cannot be read before Linux 6.10, and this module says so.",
	},
	{
		On: on{"6.1": 1}, Suite: "pathmanager", Test: words("TestApplyRollsBack"),
		Says: words(`\("too many addresses or duplicate one"\), want one that matches file already exists$`),
		Why:  "the kernel says EINVAL for an address that has an endpoint, and does not tell that from having no room.",
	},
	{
		On: on{"7.2": 1}, Suite: "pathmanager", Test: words("TestEndpoints"), Says: words(`a ninth: no error, want numerical result out of range$`),
		Why: "the kernel has room for more than eight endpoints.",
	},

	// The matrix of faults.
	{
		On: on{"6.1": 56, "6.12": 2}, Suite: matrix, Test: all,
		Says: words(`^(client|server)'s counter \w+: not in this kernel`),
		Why:  "the kernel does not have all of the counters.",
	},
	{
		On: on{"6.1": 2}, Suite: matrix, Test: words("kernel has noticed a blackhole before, IPv[46]"),
		Says: words(`^client: multipath, want fallback \(host-suppressed\)$|^server: multipath, want tcp \(not-offered\)$|` +
			`^(client|server)'s counter \w+: `),
		Why: "the kernel keeps no memory of such paths, and the connection uses Multipath TCP.",
	},
	{
		On: on{"6.1": 2}, Suite: matrix, Test: words("segments with option dropped after SYN/ACK, IPv[46]"),
		Says: words(`^client: multipath, want ` + unconfirmed),
		Why:  "the kernel does not tell whether data was acknowledged.",
	},
}

const unconfirmed = "multipath → multipath, unconfirmed"

var all = regexp.MustCompile(`(?s).*`)

func words(s string) *regexp.Regexp { return regexp.MustCompile(s) }

// on says how many tests differ, by the series of the kernel.
type on = map[string]int
