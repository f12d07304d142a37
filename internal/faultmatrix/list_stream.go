package faultmatrix

import (
	"bytes"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// oneP are faults that a stream meets on its only path.
var oneP = []Fault{
	{
		Name: "option stripped in mid-stream, from client", Mid: up(strip(mptcptest.Always)),
		Ours: Want{Client: midStream, Server: midStream, ClientMoves: "DssFallback", ServerMoves: "DssFallback"},
	},
	{
		Name: "option stripped in mid-stream, to client", Race: true, Mid: down(strip(mptcptest.Always)),
		Ours: Want{Client: midStream, Server: midStream, ClientMoves: "DssFallback", ServerMoves: "DssFallback"},
		Note: duplicates,
	},
	{
		Name: "option stripped in mid-stream, both ways", Mid: both(strip(mptcptest.Always)),
		Ours: Want{Client: midStream, Server: midStream, ClientMoves: "DssFallback", ServerMoves: "DssFallback"},
	},
	{
		Name: "payload rewritten", Mid: both(rewrite),
		Ours: Want{Client: multi, Server: multi, Stream: altered, Again: altered},
	},
	{
		Name: "payload rewritten, checksum on", Host: sysctl(client, "net.mptcp.checksum_enabled", 1), Mid: both(rewrite),
		Ours: Want{Client: midStream, Server: midStream, Stream: altered, Again: altered, ClientMoves: "InfiniteMapTx MPFailRx MPFailTx", ServerMoves: "DataCsumErr DssFallback InfiniteMapRx MPFailRx MPFailTx"},
		Note: "The only path cannot be given up: the connection falls back, and the data is delivered as it came.",
	},
	{
		Name: "only path silent for 1 s", Mid: silence(time.Second),
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "only path silent", Mid: both(mptcptest.DropAll),
		Ours: Want{Client: multi, Server: multi, Stream: deadline, Again: deadline},
	},
	{
		Name: "only path down", Mid: cut,
		Ours: Want{Client: multi, Server: multi, Stream: deadline, Again: deadline},
	},
	{
		Name: "NAT rebinding of the only path", Dial: nat, Mid: rebind,
		Ours: Want{Client: multi + " → unknown (no-subflow), closed", Server: multi, Stream: unavailable},
		Std:  Want{Client: "yes", Stream: deadline, Again: deadline},
		Note: "The server resets what it takes for a stranger. The kernel keeps the client's socket without a subflow for a minute, and package transport ends it.",
	},
	{
		Name: "third data segment lost, from client", Mid: up(nth(3, hasData)),
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "third data segment lost, to client", Mid: down(nth(3, hasData)),
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "delay of 200 ms in mid-stream", Mid: func(b *Bench) { b.First.SetDelay(200 * time.Millisecond) },
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "rate of 64 kbit/s in mid-stream", Mid: func(b *Bench) { b.First.SetRate(64 * mptcptest.Kbit) },
		Ours: Want{Client: multi, Server: multi},
	},
}

func rewrite() mptcptest.Fault {
	return mptcptest.RewritePayload(func(p []byte) {
		copy(p, bytes.ReplaceAll(p, []byte("tick"), []byte("tock")))
	})
}

func nat(b *Bench)    { b.nat = b.First.NAT(b.Client) }
func rebind(b *Bench) { b.nat.Rebind() }
func cut(b *Bench)    { b.First.Cut() }
