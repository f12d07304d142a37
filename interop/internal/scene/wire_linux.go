package scene

import (
	"fmt"
	"sync"

	"github.com/multipath-go/mptcp/mptcptest"
)

// A Count says what has been on a wire: packets, by what they carry.
type Count struct {
	CapableSYN int // requests for a Multipath TCP connection
	PlainSYN   int // requests for a TCP connection
	JoinSYN    int // requests for a further subflow
	CapableACK int // answers that agree to Multipath TCP
	PlainACK   int // answers that do not

	DataUp, DataDown   int // payload with Multipath TCP's sequence numbers, to the server and from it
	PlainUp, PlainDown int // payload without any option of Multipath TCP
}

func (c Count) sub(before Count) Count {
	c.CapableSYN -= before.CapableSYN
	c.PlainSYN -= before.PlainSYN
	c.JoinSYN -= before.JoinSYN
	c.CapableACK -= before.CapableACK
	c.PlainACK -= before.PlainACK
	c.DataUp -= before.DataUp
	c.DataDown -= before.DataDown
	c.PlainUp -= before.PlainUp
	c.PlainDown -= before.PlainDown
	return c
}

// plain is how many packets lack the option that they need.
func (c Count) plain() int { return c.PlainSYN + c.PlainACK + c.PlainUp + c.PlainDown }

func (c Count) String() string {
	return fmt.Sprintf("SYN: %d MP_CAPABLE, %d MP_JOIN, %d plain; SYN/ACK: %d MP_CAPABLE, %d plain; data: %d and %d by MPTCP, %d and %d not",
		c.CapableSYN, c.JoinSYN, c.PlainSYN, c.CapableACK, c.PlainACK, c.DataUp, c.DataDown, c.PlainUp, c.PlainDown)
}

// A wire counts what passes a link, before any fault has its way.
type wire struct {
	mu    sync.Mutex
	count Count
}

func watch(l *mptcptest.Link, client, server *mptcptest.Host) *wire {
	w := new(wire)
	l.From(client).Inject(w.fault("to the server", func(c *Count) (data, plain *int) { return &c.DataUp, &c.PlainUp }))
	l.From(server).Inject(w.fault("to the client", func(c *Count) (data, plain *int) { return &c.DataDown, &c.PlainDown }))
	return w
}

func (w *wire) now() Count {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *wire) fault(way string, of func(*Count) (data, plain *int)) mptcptest.Fault {
	return mptcptest.Fault{Name: "count " + way, Filter: func(p *mptcptest.Packet) mptcptest.Verdict {
		if !p.TCP() {
			return mptcptest.Pass
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		data, plain := of(&w.count)
		switch {
		case p.SYN() && p.HasMPTCP(mptcptest.MPJoin):
			if !p.ACK() {
				w.count.JoinSYN++
			}
		case p.SYN() && p.HasMPTCP(mptcptest.MPCapable):
			if p.ACK() {
				w.count.CapableACK++
			} else {
				w.count.CapableSYN++
			}
		case p.SYN() && p.ACK():
			w.count.PlainACK++
		case p.SYN():
			w.count.PlainSYN++
		case len(p.Payload()) == 0:
		case p.HasMPTCP(mptcptest.DSS, mptcptest.MPCapable):
			*data++
		default:
			*plain++
		}
		return mptcptest.Pass
	}}
}
