package table

const head = `# Other people's programs

Real programs and libraries of others, on real sockets, with this module at one end or at both. Each row is a test of
the module [interop](../interop), and anybody can repeat it, without privilege:

    cd interop
    ./fetch          # programs from Debian, into a directory of their own
    go test ./...
`

const survivors = `
## Multipath TCP, and a lost path

Two hosts have two paths between them. The program exchanges something 20 times; then the first path, on which its
connection began, drops everything and tells nobody; then it exchanges something 20 times more. A test fails unless

- every answer is right, before and after;
- the status is ` + "`multipath`" + `, and confirmed, for every connection at our end or ends;
- the kernels of both hosts have counted the handshake and the second subflow (MPCapableSYNACKRX, MPCapableACKRX,
  MPJoinSynAckRx, MPJoinAckRx), the other end's as well as ours;
- on the wire every SYN and all data carry the option of Multipath TCP, on both paths, before the loss and after;
- after the loss no connection has begun, on either path: the old one goes on, by the second path, both ways.

"Longest exchange" is the longest after the loss: the wait for the other path is in it. Programs that are not told of
Multipath TCP run under mptcpize, which changes the sockets that they open. Servers in Go need nothing: package net
listens for Multipath TCP by default.

`

const others = `
## TCP, and the truth about it

Programs that know only TCP, with the same tests of every answer and of the packets: they are served, and the status
says why it is not Multipath TCP.

`

const notRun = `
## Not run

`

// missing are the programs that were asked for and are not in the tests.
var missing = [][]string{
	{
		"kube-apiserver", "k8s.io/kubernetes requires some thirty of its own modules at v0.0.0, which whoever requires it " +
			"has to replace one by one, and Debian has no package of it",
		"apiextensions-apiserver: the part of it for resource definitions, on the same server library and on etcd",
	},
	{
		"systemd, `SocketProtocol=mptcp`", "its manager has to be the first process, or to own control groups",
		"its systemd-socket-activate, which hands over sockets in the same way (LISTEN_FDS)",
	},
	{
		"gRPC for C++", "Debian has the library and no program that uses it",
		"gRPC for Python, which is the same C core",
	},
}
