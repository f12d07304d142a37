package faultmatrix

import (
	"cmp"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// A Fault is a row of the matrix: something that goes wrong, and what is
// expected of those who meet it.
type Fault struct {
	Name string // unique, for a person

	// The network has one link between client and server, or two, of which
	// the first one is dialed and the fault is on it. The client opens a
	// subflow by the second one, or the server announces it.
	TwoPaths bool
	Announce bool

	// What is done, and when: before the server listens, before the client
	// dials, and while a stream ticks.
	Host, Dial, Mid func(*Bench)

	OneSubflow bool // the second path is not joined

	// What is seen depends on who is first, by a tenth of a second: a machine
	// that stands still for as long spoils it.
	Race bool

	Ours  Want  // of this module's dialer and listener
	Ours6 *Want // with IPv6, if that differs
	Std   Want  // of package net's

	Note string // a sentence for who wonders about the row
}

// want returns what is expected of a cell.
func (c Cell) want() Want {
	w := c.Fault.Ours
	if c.Family == IPv6 && c.Fault.Ours6 != nil {
		w = *c.Fault.Ours6
	}
	if c.Stack == Std {
		w = w.std(c.Fault.Std)
	}
	return w
}

// Want is what is expected of a [Cell]. The zero value of each field is what is
// expected of a network without a fault, as far as it can be.
type Want struct {
	Dial time.Duration // takes at most this; zero: a second

	// What each side sees, as in [Trace.String]: one word if nothing changes,
	// two if something does at the first data or, if the fault is switched on
	// in mid-stream, then.
	Client, Server string

	// The fate of a unary RPC on the fresh connection, of a stream during the
	// fault, and of a unary RPC after it. Empty: ok. There may be several, with
	// " or " between them.
	First, Stream, Again string

	Stall time.Duration // of a stream that survives, at most; zero: four seconds

	// In what the counters that move on each host differ from those that do
	// without a fault: names, separated by spaces, with a minus before those
	// that do not move. Any other counter must stand still, but for those that
	// depend on the timing.
	ClientMoves, ServerMoves string

	// The counters may as well have moved with the ends the other way round: the
	// fault is in both directions, and who meets it is the end to which the other
	// one sends first.
	EitherEnd bool
}

// std returns what is expected of package net: what other says, and where it
// says nothing, the same as of this module.
func (w Want) std(other Want) Want {
	w.Dial = cmp.Or(other.Dial, w.Dial)
	w.Client = cmp.Or(other.Client, yesNo(w.Client))
	w.Server = cmp.Or(other.Server, yesNo(w.Server))
	w.First = cmp.Or(other.First, w.First)
	w.Stream = cmp.Or(other.Stream, w.Stream)
	w.Again = cmp.Or(other.Again, w.Again)
	w.Stall = cmp.Or(other.Stall, w.Stall)
	w.ClientMoves = cmp.Or(other.ClientMoves, w.ClientMoves)
	w.ServerMoves = cmp.Or(other.ServerMoves, w.ServerMoves)
	w.EitherEnd = other.EitherEnd || w.EitherEnd
	return w
}

// A Bench is the network that a fault is made in.
type Bench struct {
	Client, Server *mptcptest.Host
	First, Second  *mptcptest.Link // Second is nil if there is one path
	nat            *mptcptest.NAT
}

// both, up and down switch a fault on: in both directions of the first link,
// from the client, and to the client. The fault is made anew for each cell,
// since some of them count.

func both(f func() mptcptest.Fault) func(*Bench) {
	return func(b *Bench) { b.First.Inject(f()) }
}

func up(f func() mptcptest.Fault) func(*Bench) {
	return func(b *Bench) { b.First.From(b.Client).Inject(f()) }
}

func down(f func() mptcptest.Fault) func(*Bench) {
	return func(b *Bench) { b.First.From(b.Server).Inject(f()) }
}

func strip(on mptcptest.Segments) func() mptcptest.Fault {
	return func() mptcptest.Fault { return mptcptest.StripMPTCP(on) }
}

func nth(n int, match func(*mptcptest.Packet) bool) func() mptcptest.Fault {
	return func() mptcptest.Fault { return mptcptest.DropNth(n, match) }
}

// silence loses all segments, and heals itself.
func silence(d time.Duration) func(*Bench) {
	return func(b *Bench) {
		time.AfterFunc(d, b.First.Inject(mptcptest.DropIf("drop all segments", (*mptcptest.Packet).TCP)))
	}
}

func sysctl(host func(*Bench) *mptcptest.Host, name string, value int) func(*Bench) {
	return func(b *Bench) { host(b).Sysctl(name, value) }
}

func client(b *Bench) *mptcptest.Host { return b.Client }
func server(b *Bench) *mptcptest.Host { return b.Server }

func all(steps ...func(*Bench)) func(*Bench) {
	return func(b *Bench) {
		for _, step := range steps {
			step(b)
		}
	}
}
