package faultmatrix

import (
	"net/netip"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// handshake are faults that a new connection meets, on a network with one path.
var handshake = []Fault{
	{
		Name: "nothing",
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "SYN with option dropped", Dial: both(mptcptest.DropMPTCPSYN),
		Ours: Want{Client: synDropped, Server: notOffered, Dial: headStart, ClientMoves: notAnswer, ServerMoves: notSeen},
		Std:  Want{Dial: 5 * time.Second, ClientMoves: "MPCapableSYNTXDrop Blackhole " + notAnswer},
		Note: blackhole,
	},
	{
		Name: "SYN with option answered by RST", Dial: both(mptcptest.ResetMPTCPSYN),
		Ours: Want{Client: "fallback (syn-reset)", Server: notOffered, ClientMoves: notAnswer, ServerMoves: notSeen},
	},
	{
		Name: "option stripped from SYN", Dial: both(strip(mptcptest.OnSYN)),
		Ours: Want{Client: notAnswered, Server: notOffered, ClientMoves: "MPCapableFallbackSYNACK " + notAnswer, ServerMoves: notSeen},
	},
	{
		Name: "option stripped from SYN/ACK", Dial: both(strip(mptcptest.OnSYNACK)),
		Ours: Want{Client: notAnswered, Server: notOffered, ClientMoves: "MPCapableFallbackSYNACK " + notAnswer, ServerMoves: "MPCapableFallbackACK " + notAccepted},
	},
	{
		Name: "option stripped from third ACK", Dial: both(strip(mptcptest.OnThirdACK)),
		Ours: Want{Client: firstData, Server: notOffered, ClientMoves: "MPCapableDataFallback", ServerMoves: "MPCapableFallbackACK " + notAccepted},
	},
	{
		Name: "option stripped after SYN/ACK, from client", Dial: up(strip(mptcptest.AfterSYN)),
		Ours: Want{Client: firstData, Server: notOffered, ClientMoves: "MPCapableDataFallback", ServerMoves: "MPCapableFallbackACK " + notAccepted},
	},
	{
		Name: "option stripped after SYN/ACK, to client", Race: true, Dial: down(strip(mptcptest.AfterSYN)),
		Ours: Want{Client: firstData, Server: midStream, ClientMoves: "MPCapableDataFallback", ServerMoves: "DssFallback"},
		Note: duplicates,
	},
	{
		Name: "option stripped after SYN/ACK, both ways", Dial: both(strip(mptcptest.AfterSYN)),
		Ours: Want{Client: firstData, Server: notOffered, ClientMoves: "MPCapableDataFallback", ServerMoves: "MPCapableFallbackACK " + notAccepted},
	},
	{
		Name: "option stripped after third ACK, both ways", Dial: both(strip(mptcptest.OnLater)),
		Ours: Want{Client: firstData, Server: midStream, ClientMoves: "MPCapableDataFallback", ServerMoves: "DssFallback"},
	},
	{
		Name: "SYN/ACK with option dropped", Dial: both(mptcptest.DropMPTCPSYNACK),
		Ours: Want{Client: synDropped, Server: notOffered, Dial: headStart, ClientMoves: notAnswer, ServerMoves: notAccepted},
		Std:  Want{Client: none, Server: none, First: deadline, Again: deadline, Dial: time.Minute, ClientMoves: "MPCapableSYNTXDrop " + notAnswer},
		Note: "The kernel's own retry does not help package net: the server goes on answering SYNs from the same port with the option.",
	},
	{
		Name: "segments with option dropped after SYN/ACK", Dial: both(mptcptest.DropMPTCP),
		Ours: Want{Client: unconfirmed, Server: none, First: deadline, Again: deadline, ServerMoves: notAccepted},
		Note: "The handshake is all that Multipath TCP needs to connect, and TCP is not tried after it.",
	},
	{
		Name: "first SYN lost", Race: true, Dial: all(slow, up(nth(1, isSYN))),
		Ours: Want{Client: multi, Server: multi, Dial: headStart},
		Std:  Want{Dial: 3 * time.Second},
	},
	{
		Name: "first SYN/ACK lost", Race: true, Dial: all(slow, down(nth(1, isSYN))),
		Ours: Want{Client: multi, Server: multi, Dial: headStart},
		Std:  Want{Dial: 3 * time.Second},
	},
	{
		Name: "third ACK lost", Dial: up(nth(1, isPureACK)),
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "first data lost", Dial: up(nth(1, hasData)),
		Ours: Want{Client: multi, Server: multi},
	},
	{
		Name: "silence for 2.5 s", Race: true, Dial: all(slow, silence(2500*time.Millisecond)),
		Ours: Want{Client: multi, Server: multi, Dial: 6 * time.Second},
		Std:  Want{Client: "no", Server: "no", Dial: 6 * time.Second, ClientMoves: "MPCapableSYNTXDrop Blackhole " + notAnswer, ServerMoves: notSeen},
		Note: "Nothing is wrong with this path, but package net's dial has the same consequence as if there were.",
	},
	{
		Name: "kernel has noticed a blackhole before", Dial: noticeBlackhole,
		Ours: Want{Client: "fallback (host-suppressed)", Server: notOffered, ClientMoves: "MPCapableSYNTXDisabled " + notSent, ServerMoves: notSeen},
		Note: "A dial of package net met a path that drops the option, which is gone now.",
	},
	{
		Name: "delay of 200 ms", Dial: func(b *Bench) { b.First.SetDelay(200 * time.Millisecond) },
		Ours: Want{Client: multi, Server: multi, Dial: headStart},
		Std:  Want{Dial: headStart},
	},
}

const blackhole = "Blackhole is the kernel's conclusion that this network drops the option: the host offers Multipath TCP to nobody for an hour. Only package net's dial leads it there."

const duplicates = "Until the client sends again, the server's kernel has not noticed, and every 200 ms delivers its last data once more, as new bytes. gRPC's client sends sooner than that; where it is held up, the connection is reset, for a kernel that has sent data once more does not fall back. With a protocol whose client is silent for longer the data is wrong, on any Multipath TCP of this kernel; TLS would end such a connection."

// hosts are settings of the hosts.
var hosts = []Fault{
	{
		Name: "net.mptcp.enabled=0 on client", Dial: sysctl(client, "net.mptcp.enabled", 0),
		Ours: Want{Client: "fallback (host-disabled)", Server: notOffered, ClientMoves: notSent, ServerMoves: notSeen},
	},
	{
		Name: "net.mptcp.enabled=0 on server", Host: sysctl(server, "net.mptcp.enabled", 0),
		Ours: Want{Client: notAnswered, Server: "tcp (host-disabled)", ClientMoves: "MPCapableFallbackSYNACK " + notAnswer, ServerMoves: notSeen},
	},
	{
		Name: "net.mptcp.enabled=0 on server, after it listens", Dial: sysctl(server, "net.mptcp.enabled", 0),
		Ours: Want{Client: multi, Server: multi},
	},
}

// slow makes the round trip long enough for a busy machine to keep to it: an
// attempt that is to confirm what TCP found has twice that, up to 250 ms.
func slow(b *Bench) { b.First.SetDelay(60 * time.Millisecond) }

// noticeBlackhole has the client's kernel conclude what package net's dial leads
// it to, and heals the path.
func noticeBlackhole(b *Bench) {
	ln := b.Server.Listen("tcp4", "0.0.0.0:81")
	defer ln.Close()
	heal := b.First.Inject(mptcptest.DropMPTCPSYN())
	defer heal()
	d := b.Client.Dialer()
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", netip.AddrPortFrom(b.First.Addr(b.Server), 81).String())
	if err == nil {
		c.Close()
	}
}

func isSYN(p *mptcptest.Packet) bool     { return p.SYN() }
func isPureACK(p *mptcptest.Packet) bool { return !p.SYN() && len(p.Payload()) == 0 }
func hasData(p *mptcptest.Packet) bool   { return len(p.Payload()) > 0 }
