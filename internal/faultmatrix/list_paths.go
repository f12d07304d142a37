package faultmatrix

import (
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// Counters that do not move on the host that does not join, does not see an
// announcement, or is not joined.
const (
	notJoining   = "-MPJoinSynTx -MPJoinSynAckRx"
	notAnnounced = "-AddAddr -EchoAddTx " + notJoining
	notJoined    = "-MPJoinSynRx -MPJoinAckRx"
	notEchoed    = "-EchoAdd " + notJoined
)

// joins are faults that keep the second path from being used.
var joins = []Fault{
	{
		Name: "nothing, second path of the client", TwoPaths: true,
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "nothing, second path announced", TwoPaths: true, Announce: true,
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "MP_JOIN dropped", TwoPaths: true, OneSubflow: true, Dial: func(b *Bench) { b.Second.Inject(mptcptest.DropJoin()) },
		Ours: Want{Client: multi, Server: multi, ClientMoves: "-MPJoinSynAckRx", ServerMoves: notJoined},
	},
	{
		Name: "ADD_ADDR dropped", TwoPaths: true, Announce: true, OneSubflow: true, Dial: both(mptcptest.DropAddAddr),
		Ours: Want{Client: multi, Server: multi, ClientMoves: notAnnounced, ServerMoves: notEchoed},
	},
	{
		Name: "ADD_ADDR mangled", TwoPaths: true, Announce: true, OneSubflow: true, Dial: both(mptcptest.MangleAddAddr),
		Ours: Want{Client: multi, Server: multi, ClientMoves: notAnnounced, ServerMoves: notEchoed},
	},
	{
		Name: "path manager limits 0 on client", TwoPaths: true, OneSubflow: true, Dial: func(b *Bench) { b.Client.SetLimits(0, 0) },
		Ours: Want{Client: multi, Server: multi, ClientMoves: notJoining, ServerMoves: notJoined},
	},
	{
		Name: "path manager limits 0 on client, second path announced", TwoPaths: true, Announce: true, OneSubflow: true, Dial: func(b *Bench) { b.Client.SetLimits(0, 0) },
		Ours: Want{Client: multi, Server: multi, ClientMoves: notJoining, ServerMoves: notJoined},
	},
	{
		Name: "path manager limits 0 on server", TwoPaths: true, OneSubflow: true, Dial: func(b *Bench) { b.Server.SetLimits(0, 0) },
		Ours: Want{Client: multi, Server: multi, ClientMoves: "MPRstTx", ServerMoves: "MPJoinRejected -MPJoinAckRx"},
	},
}

var (
	retransmits = Want{Client: multi, Server: multi, ClientMoves: "MPTCPRetrans"}
	lostAddr    = &Want{Client: multi, Server: multi, Stream: deadline, Again: deadline, ClientMoves: "MPTCPRetrans SubflowStale"}
)

const noAddr = "Linux takes an IPv6 address away when its interface goes down, and an IPv4 address not: here it is the server's, to which the second subflow leads as well."

// twoP are faults that a stream meets on the first of its two paths.
var twoP = []Fault{
	{
		Name: "first path down at both ends", TwoPaths: true, Mid: cut,
		Ours: retransmits, Ours6: lostAddr, Note: noAddr,
	},
	{
		Name: "first path down at client", TwoPaths: true, Mid: func(b *Bench) { b.First.CutAt(b.Client) },
		Ours: retransmits,
	},
	{
		Name: "first path down at server", TwoPaths: true, Mid: func(b *Bench) { b.First.CutAt(b.Server) },
		Ours: retransmits, Ours6: lostAddr, Note: noAddr,
	},
	{
		Name: "first path silent, both ways", TwoPaths: true, Mid: both(mptcptest.DropAll),
		Ours: retransmits,
	},
	{
		Name: "first path silent, from client", TwoPaths: true, Mid: up(mptcptest.DropAll),
		Ours: retransmits,
	},
	{
		Name: "first path silent, to client", TwoPaths: true, Mid: down(mptcptest.DropAll),
		Ours: Want{Client: multi, Server: multi, ServerMoves: "MPTCPRetrans"},
	},
	{
		Name: "option stripped from first path", TwoPaths: true, Mid: both(strip(mptcptest.Always)),
		Ours: Want{Client: multi, Server: multi, ServerMoves: "MPRstTx", EitherEnd: true},
		Note: "A connection with several subflows cannot fall back: the subflow is reset instead, by the end that misses the option first. Here it is the server; it may be the client.",
	},
	{
		Name: "payload rewritten on first path", TwoPaths: true, Mid: both(rewrite),
		Ours: Want{Client: multi, Server: multi, Stream: altered, Again: altered + or + string(OK)},
		Note: "Whether the one RPC that follows is altered depends on the path that it takes.",
	},
	{
		Name: "payload rewritten on first path, checksum on", TwoPaths: true, Host: sysctl(client, "net.mptcp.checksum_enabled", 1), Mid: both(rewrite),
		Ours: Want{Client: multi, Server: multi, ClientMoves: "MPFailRx MPRstRx", ServerMoves: "DataCsumErr MPFailTx MPRstTx", EitherEnd: true},
		Note: "The subflow is reset by the end that first gets such data, here the server, and the data comes by the other path.",
	},
	{
		Name: "NAT rebinding of the first path", TwoPaths: true, Dial: nat, Mid: rebind,
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "first path delayed by 200 ms", TwoPaths: true, Mid: func(b *Bench) { b.First.SetDelay(200 * time.Millisecond) },
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "first path slowed to 64 kbit/s", TwoPaths: true, Mid: func(b *Bench) { b.First.SetRate(64 * mptcptest.Kbit) },
		Ours: Want{Client: multi, Server: multi},
	},
}
