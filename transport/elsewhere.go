package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

const (
	// elsewhereAfter is how long the default path may be silent before other
	// local addresses are tried: twice the default head start, so that
	// Multipath TCP and TCP have both had their chance.
	elsewhereAfter = 2 * DefaultHeadStart

	// nextSource is how long one of them has before the next one joins: the
	// least that RFC 8305, section 8, allows.
	nextSource = 100 * time.Millisecond
)

var errNoSource = errors.New("no other local address to dial from")

// dialElsewhere dials from other local addresses, one after the other and each
// beside those before it. The first connection is used. Each is a dial like
// the first one, with a race of its own.
func (r *race) dialElsewhere(ctx context.Context, all *attempt) (net.Conn, error) {
	sources := r.sources
	if len(sources) == 0 {
		sources = subflowEndpoints()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan *attempt, len(sources))
	var attempts []*attempt
	defer func() {
		for _, a := range attempts {
			a.abandon()
		}
	}()
	running := 0
	for len(sources) > 0 || running > 0 {
		var next <-chan time.Time
		if len(sources) > 0 {
			a := begin(ctx, r.from(sources[0]))
			sources = sources[1:]
			attempts = append(attempts, a)
			running++
			go func() {
				<-a.done
				ended <- a
			}()
			if len(sources) > 0 {
				next = time.After(nextSource)
			}
		}
		for waiting := true; waiting && running > 0; {
			select {
			case a := <-ended:
				running--
				if c, ok := a.take(); ok {
					all.race = a.race
					return c, nil
				}
				waiting = len(sources) == 0 // the next one need not wait
			case <-next:
				waiting = false
			}
		}
	}
	return nil, errNoSource
}

// from returns a dial from the local address source.
func (r *race) from(source netip.Addr) func(context.Context, *attempt) (net.Conn, error) {
	return func(ctx context.Context, a *attempt) (net.Conn, error) {
		other := *r
		a.race = &other
		other.dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
		c, err := other.run(ctx)
		if err != nil {
			conntable.CountAttempts(conntable.NoProtocol, other.multipathAttempts, other.tcpAttempts)
		}
		return c, err
	}
}

// unreached reports whether err says that no packet reached the peer, or none
// came back; another path may then do better. A refusal is an answer.
func unreached(err error) bool {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		return false
	}
	var timeout interface{ Timeout() bool }
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
