package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// giveUpAfter is how long a SYN with the Multipath TCP option may stay
// unanswered. The kernel sends SYNs at 0, 1, 2 and 3 seconds, the fourth
// without the option, and if that one is answered it takes the path for one
// that drops the option and sends no more options from this network namespace
// for an hour, to anybody (net.mptcp.blackhole_timeout). An attempt that ends
// before the fourth SYN does not lead it there.
const giveUpAfter = 2800 * time.Millisecond

// minConfirm is how long Multipath TCP is given at least, once TCP was
// answered, before its silence counts: more than a radio link or a busy machine
// may happen to add to a round trip. What is learned from it is remembered.
const minConfirm = 40 * time.Millisecond

// trialShare is the part of TCP's connect time that a trial waits for Multipath
// TCP after that: not enough to be noticed.
const trialShare = 10

// connectTimeout bounds a dial without a deadline whose SYNs get no answer, as
// the kernel's own tcp_syn_retries would.
const connectTimeout = 127 * time.Second

// A race is one dial: a Multipath TCP attempt, perhaps a TCP attempt beside
// it, perhaps a second Multipath TCP attempt to make sure.
type race struct {
	dialer           net.Dialer
	mode             Mode
	headStart        time.Duration
	memory           *Memory
	congestion       string
	care             care
	sources          []netip.Addr
	network, address string
	start            time.Time

	multipathAttempts, tcpAttempts int

	// Once run has returned a connection:
	onPlain verdictOnPlain
	record  *DialRecord
	winner  *race // from another local address, or nil
}

// dial runs the race, and puts the connection into the table.
func (r *race) dial(ctx context.Context) (net.Conn, error) {
	c, err := r.run(ctx)
	if err == nil {
		won := r
		if r.winner != nil {
			won = r.winner
		}
		track(c, conntable.Dialed, won.onPlain, won.record, r.care)
	}
	r.tally(c)
	return c, err
}

// run dials. It reads like this: Multipath TCP alone for the head start; then
// TCP beside it; if TCP connects first, one more chance for Multipath TCP;
// whoever fails leaves the field to the other, and if both do, both errors are
// reported. If nobody answers, other local addresses are tried as well. What is
// still running when run returns is abandoned.
func (r *race) run(ctx context.Context) (net.Conn, error) {
	mp := r.dialMultipath(ctx, r.address, r.memory)
	defer func() { mp.abandon() }() // mp may change
	var tcp *attempt
	var tcpDone <-chan struct{}
	defer func() { tcp.abandon() }()
	startTCP := func() {
		if tcp == nil && r.mode != Require {
			tcp = r.dialTCP(ctx)
			tcpDone = tcp.done
		}
	}

	var elsewhere *attempt
	var elsewhereDone <-chan struct{}
	defer func() { elsewhere.abandon() }()
	startElsewhere := func() {
		if elsewhere == nil && r.dialer.LocalAddr == nil {
			other := *r // as it is now: r goes on counting its attempts
			other.multipathAttempts, other.tcpAttempts = 0, 0
			elsewhere = begin(ctx, other.dialElsewhere)
			elsewhereDone = elsewhere.done
		}
	}

	var headStart, giveUp, refusal, silence <-chan time.Time
	var failed error // of the default path, once nothing is left of it
	mpDone := mp.done
	for {
		select {
		case syn := <-mp.sent:
			if silence == nil {
				silence = time.After(elsewhereAfter)
			}
			if syn.plain || giveUp != nil {
				continue // the first SYN with the option counts, to whichever address
			}
			if syn.headStart >= 0 {
				headStart = time.After(syn.headStart)
			}
			giveUp = time.After(giveUpAfter)

		case <-headStart:
			startTCP()

		case <-giveUp:
			giveUp = nil
			mp.silence()

		case <-refusal:
			mp.silence()

		case <-silence:
			startElsewhere()

		case <-elsewhereDone:
			if c, ok := elsewhere.take(); ok {
				r.winner = elsewhere.race
				return c, nil
			}
			elsewhereDone = nil

		case <-mpDone:
			if mp.err == nil {
				return r.keepMultipath(mp)
			}
			switch {
			case over(ctx):
				return nil, bothFailed(mp.err, tcp.failure()) // which is due as well
			case !mp.tried(): // TCP has been dialed already
				failed = mp.err
			case r.mode == Require && mp.silent() && time.Since(r.start) < connectTimeout:
				mp = r.dialMultipath(ctx, r.address, r.memory)
				mpDone, headStart = mp.done, nil
				continue
			case r.mode == Require:
				failed = mp.err
			default:
				if startTCP(); tcpDone == nil {
					failed = bothFailed(mp.err, tcp.err)
				}
			}
			mpDone = nil

		case <-tcpDone:
			if tcp.err == nil {
				return r.settle(ctx, mp, tcp, giveUp)
			}
			tcpDone = nil
			switch {
			case mpDone == nil:
				failed = bothFailed(mp.err, tcp.err)
			case errors.Is(tcp.err, syscall.EADDRINUSE), errors.Is(tcp.err, syscall.EADDRNOTAVAIL):
				tcp = nil // the local port serves one attempt at a time: TCP's turn comes
			case refused(tcp.err):
				refusal = time.After(r.patience(tcp)) // Multipath TCP is hardly welcome
			}
		}

		if failed != nil {
			if !over(ctx) && unreached(failed) {
				startElsewhere()
			}
			if elsewhereDone == nil {
				return nil, failed
			}
		}
	}
}

// settle decides what to do with a TCP connection that was there before a
// Multipath TCP one.
func (r *race) settle(ctx context.Context, mp, tcp *attempt, giveUp <-chan time.Time) (net.Conn, error) {
	remote := tcp.conn.RemoteAddr()
	if reason, _ := mp.verdict(); onPath(reason) {
		if late := r.confirm(ctx, mp, tcp, giveUp); late != nil {
			return r.keepMultipath(late)
		}
	}
	c, ok := tcp.take()
	if !ok {
		return nil, tcp.err
	}
	reason, err := mp.verdict()
	switch {
	case mp.trial() && (!mp.ended() || mp.answered()): // just now
		reason = mptcp.ReasonRemembered // nothing new was known
		if !over(ctx) && mp.leave() {
			go r.memory.conclude(mp, addrPort(remote), giveUp)
		}
	case onPath(reason) && !over(ctx): // or the confirmation was cut short
		r.memory.remember(addrPort(remote), mp.trial())
	}
	return r.won(c, reason, err, "")
}

// confirm waits a little longer for Multipath TCP when TCP has connected, and
// returns the attempt that was answered, or nil. The SYN with the option may
// merely have been lost, or refused by a server that was about to listen: a
// fresh one gets twice the time that TCP took. A trial, whose two attempts began
// together, is not worth that.
func (r *race) confirm(ctx context.Context, mp, tcp *attempt, giveUp <-chan time.Time) *attempt {
	wait := tcp.connectTime() / trialShare
	var again *attempt
	var againDone <-chan struct{}
	if !mp.trial() {
		wait = r.patience(tcp)
		again = r.dialMultipath(ctx, tcp.conn.RemoteAddr().String(), nil)
		againDone = again.done
	}
	timeout := time.After(wait)
	mpDone := mp.done
	for wait > 0 && (mpDone != nil || again != nil) {
		select {
		case <-mpDone:
			if mpDone = nil; mp.answered() {
				wait = 0
			}
		case <-againDone:
			wait = 0
		case <-giveUp:
			mp.silence()
		case <-timeout:
			wait = 0
		case <-ctx.Done():
			wait = 0
		}
	}
	switch {
	case mp.answered():
		again.abandon()
		return mp
	case again.answered():
		return again
	}
	again.abandon()
	return nil
}

// patience is how long Multipath TCP may still take once TCP was answered, if
// only with a refusal. It had the head start before, and gets no more than that
// again, unless that is very short.
func (r *race) patience(tcp *attempt) time.Duration {
	limit := r.headStart
	if limit < 0 {
		limit = DefaultHeadStart
	}
	return max(min(2*tcp.connectTime(), limit, giveUpAfter), minConfirm)
}

// conclude learns how a trial ends for which the dial has not waited.
func (m *Memory) conclude(trial *attempt, addr netip.AddrPort, giveUp <-chan time.Time) {
	select {
	case <-trial.done:
	case <-giveUp:
		trial.silence()
		<-trial.done
	}
	if c, ok := trial.take(); ok {
		m.forget(addrPort(c.RemoteAddr()))
		c.Close()
	} else if reason, _ := trial.verdict(); onPath(reason) {
		m.remember(addr, true)
	}
}

// onPath reports whether reason speaks of the path or the peer, and not of this
// host.
func onPath(reason mptcp.Reason) bool {
	return reason == mptcp.ReasonSYNDropped || reason == mptcp.ReasonSYNReset
}

// keepMultipath returns the connection of a successful Multipath TCP attempt,
// which the peer or the path may have turned into TCP all the same.
func (r *race) keepMultipath(a *attempt) (net.Conn, error) {
	c, ok := a.take()
	if !ok {
		return nil, a.err
	}
	if a.plainReason() == mptcp.ReasonUnknown {
		r.memory.forget(addrPort(c.RemoteAddr()))
	}
	if !a.tried() {
		r.multipathAttempts--
		r.tcpAttempts++
	}
	congestion := a.congestion()
	if r.mode == Require || congestion != "" {
		s, err := mptcp.Inspect(c)
		if r.mode == Require && (err != nil || s.State != mptcp.Multipath) {
			c.Close()
			return nil, &net.OpError{
				Op: "dial", Net: r.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(),
				Err: &fallbackError{reason: s.Reason, err: err},
			}
		}
		if s.State == mptcp.Fallback || s.State == mptcp.TCP {
			congestion = a.restoreCongestion(c)
		}
	}
	return r.won(c, a.plainReason(), nil, congestion)
}

// over reports whether ctx has ended or its deadline has passed, of which the
// poller may know a moment before ctx does.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// won notes how the connection c came about. reason is why it is plain TCP, if
// it proves to be.
func (r *race) won(c net.Conn, reason mptcp.Reason, err error, congestion string) (net.Conn, error) {
	r.onPlain = plain(mptcp.Fallback, reason)
	r.record = &DialRecord{
		Network: r.network, Address: r.address, Duration: time.Since(r.start),
		MultipathError: err, CongestionControl: congestion,
		MultipathAttempts: r.multipathAttempts, TCPAttempts: r.tcpAttempts,
	}
	return c, nil
}

// onePort reports whether the local address serves one attempt at a time.
func (r *race) onePort() bool {
	local, ok := r.dialer.LocalAddr.(*net.TCPAddr)
	return ok && local != nil && local.Port != 0
}
