package conntable

import (
	"sync/atomic"
	"time"
)

// The tally is what the table cannot show to those who look at it now and then:
// sums since the process began, over connections that came and went between two
// looks, and over dials that failed. Each function that counts costs a few
// atomic additions and allocates nothing.

// Sizes of the tally. States and reasons are words of the root package.
const (
	tallyStates  = 4
	tallyReasons = 32
	tallyResults = tallyStates + 1
)

// DialFailed is the result of a dial that led to no connection. Other results
// are the states of connections.
const DialFailed = tallyStates

// DialBounds are the upper bounds of the buckets that the durations of dials
// fall into, themselves included; what takes longer has a bucket of its own.
// They are dense around the head start of 250 ms, which is what a dial takes
// longer where Multipath TCP is filtered.
var DialBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	1 * time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 60 * time.Second,
}

// DialBuckets is the number of buckets.
const DialBuckets = len(DialBounds) + 1

// A Protocol is what an attempt to connect used.
type Protocol uint8

// The protocols.
const (
	NoProtocol Protocol = iota // of a dial that failed
	Multipath
	TCP
)

// An Option is a socket option that nobody needs: a connection is none the less
// good if the kernel refuses it.
type Option uint8

// The options.
const (
	CongestionControl Option = iota
	UserTimeout
	tallyOptions = iota
)

// A Bucket is a number of dials and how long they took together, in nanoseconds.
type Bucket struct{ Count, Nanos uint64 }

// Sums are the tally at one moment.
type Sums struct {
	Opened [2][tallyStates][tallyReasons]uint64 // by role, and by state and reason when it was opened
	Lost   [2][tallyReasons]uint64              // opened with Multipath TCP, fallen back since, by role and reason
	Ended  [2][tallyReasons]uint64              // by this process under their owner, by role and reason

	Dials    [tallyResults][DialBuckets]Bucket // by the state of the connection, or DialFailed
	Attempts [2][2]uint64                      // by Multipath TCP and by TCP; that were not used, that were

	Refused [tallyOptions]uint64 // options that the kernel has refused

	Sent, Received uint64 // bytes that Multipath TCP carried, as far as anybody has looked
}

type bucket struct{ count, nanos atomic.Uint64 }

var tally struct {
	opened   [2][tallyStates][tallyReasons]atomic.Uint64
	lost     [2][tallyReasons]atomic.Uint64
	ended    [2][tallyReasons]atomic.Uint64
	dials    [tallyResults][DialBuckets]bucket
	attempts [2][2]atomic.Uint64
	refused  [tallyOptions]atomic.Uint64

	sent     atomic.Uint64
	_        [56]byte // two ends of a connection are often busy at a time
	received atomic.Uint64
}

// CountOpened counts a connection that has entered the table, by what it was
// then.
func CountOpened(role Role, state, reason uint8) {
	tally.opened[role&1][state%tallyStates][reason%tallyReasons].Add(1)
}

// CountLost counts a connection that used Multipath TCP and has fallen back.
func CountLost(role Role, reason uint8) { tally.lost[role&1][reason%tallyReasons].Add(1) }

// CountEnded counts a connection that this process has ended under its owner.
func CountEnded(role Role, reason uint8) { tally.ended[role&1][reason%tallyReasons].Add(1) }

// CountDial counts a dial that is over: its result, which is the state of the
// connection or [DialFailed], how long it took, and which protocol's attempt
// became the connection, out of how many attempts of each.
func CountDial(result uint8, d time.Duration, by Protocol, multipathAttempts, tcpAttempts int) {
	d = max(d, 0)
	i := 0
	for i < len(DialBounds) && d > DialBounds[i] {
		i++
	}
	b := &tally.dials[min(result, DialFailed)][i]
	b.nanos.Add(uint64(d)) // before the count: see Read
	b.count.Add(1)

	CountAttempts(by, multipathAttempts, tcpAttempts)
}

// CountAttempts counts attempts to connect and which protocol's became a
// connection. [CountDial] includes it.
func CountAttempts(by Protocol, multipath, tcp int) {
	countAttempts(0, multipath, by == Multipath)
	countAttempts(1, tcp, by == TCP)
}

func countAttempts(protocol, n int, used bool) {
	if used {
		tally.attempts[protocol][1].Add(1)
		n--
	}
	if n > 0 {
		tally.attempts[protocol][0].Add(uint64(n))
	}
}

// CountRefused counts an option that the kernel has refused.
func CountRefused(o Option) { tally.refused[o].Add(1) }

// Read fills s with the tally. Dials that are being counted meanwhile may be in
// Nanos already and in Count not yet.
func (s *Sums) Read() {
	for role := range tally.opened {
		for state := range tally.opened[role] {
			load(s.Opened[role][state][:], tally.opened[role][state][:])
		}
		load(s.Lost[role][:], tally.lost[role][:])
		load(s.Ended[role][:], tally.ended[role][:])
	}
	for result := range tally.dials {
		for i := range tally.dials[result] {
			b := &tally.dials[result][i]
			s.Dials[result][i].Count = b.count.Load()
			s.Dials[result][i].Nanos = b.nanos.Load()
		}
	}
	for protocol := range tally.attempts {
		load(s.Attempts[protocol][:], tally.attempts[protocol][:])
	}
	load(s.Refused[:], tally.refused[:])
	s.Sent, s.Received = tally.sent.Load(), tally.received.Load()
}

func load(to []uint64, from []atomic.Uint64) {
	for i := range from {
		to[i] = from[i].Load()
	}
}

// Carried is how many bytes one connection has carried, as far as anybody has
// looked. Whoever looks adds to the tally what is new.
type Carried struct{ sent, received atomic.Uint64 }

// Set notes what the connection has carried since it was opened. Of several that
// look at a time, the one who saw the most counts.
func (c *Carried) Set(sent, received uint64) {
	raise(&c.sent, sent, &tally.sent)
	raise(&c.received, received, &tally.received)
}

// Bytes returns what was noted.
func (c *Carried) Bytes() (sent, received uint64) { return c.sent.Load(), c.received.Load() }

// raise raises one connection's number to n, and the sum by as much.
func raise(one *atomic.Uint64, n uint64, sum *atomic.Uint64) {
	for old := one.Load(); n > old; old = one.Load() {
		if one.CompareAndSwap(old, n) {
			sum.Add(n - old)
			return
		}
	}
}
