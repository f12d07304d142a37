package transport

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/multipath-go/mptcp"
)

// fakeConn is a connection to here that notes whether it was closed.
type fakeConn struct {
	net.Conn
	closed bool
}

func (c *fakeConn) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (c *fakeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(here) }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

// fakeAttempt is answered after the given time, or never, and then ends by err
// or, without one, when its context does.
func fakeAttempt(ctx context.Context, after time.Duration, err error) (*attempt, *fakeConn) {
	conn := new(fakeConn)
	answer := make(<-chan time.Time)
	if after > 0 {
		answer = time.After(after)
	}
	a := begin(ctx, func(ctx context.Context, a *attempt) (net.Conn, error) {
		a.connecting.Store(int64(time.Since(epoch)))
		select {
		case <-answer:
			if err != nil {
				return nil, err
			}
			return conn, nil
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Err: context.Cause(ctx)}
		}
	})
	a.made.Store(true)
	return a, conn
}

// TestTrial settles a trial: TCP is answered after 50 ms, Multipath TCP sooner
// or later or never. The dial takes no longer than it would have by TCP, and
// whatever becomes of Multipath TCP decides about the next dial.
func TestTrial(t *testing.T) {
	const rtt = 50 * time.Millisecond
	for _, tt := range []struct {
		name      string
		after     time.Duration // when Multipath TCP is answered, 0: never
		err       error         // and how
		deadline  time.Duration // of the dial
		multipath bool          // is used
		took      time.Duration // at most
		learnt    time.Duration // when the outcome is there
		next      verdict       // a hold later
	}{
		{name: "answered with TCP", after: rtt, multipath: true, took: rtt, learnt: rtt, next: unknown},
		{name: "answered a little later", after: rtt + 4*time.Millisecond, multipath: true, took: rtt + 4*time.Millisecond, learnt: rtt + 4*time.Millisecond, next: unknown},
		{name: "answered too late", after: 80 * time.Millisecond, took: 55 * time.Millisecond, learnt: 80 * time.Millisecond, next: unknown},
		{name: "a lost SYN", after: time.Second + rtt, took: 55 * time.Millisecond, learnt: time.Second + rtt, next: unknown},
		{name: "dropped", took: 55 * time.Millisecond, learnt: giveUpAfter, next: knownBad},
		{name: "refused", after: time.Millisecond, err: errRefused, took: rtt, learnt: rtt, next: knownBad},
		{name: "refused later", after: 70 * time.Millisecond, err: errRefused, took: 55 * time.Millisecond, learnt: 70 * time.Millisecond, next: knownBad},
		{name: "no time to learn", deadline: 200 * time.Millisecond, took: 55 * time.Millisecond, learnt: giveUpAfter, next: worthATrial},
		{name: "no file descriptor", after: time.Millisecond, err: errors.New("not the path's fault"), took: rtt, learnt: rtt, next: worthATrial},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m Memory
				m.remember(here, false)
				time.Sleep(memoryHold)
				m.consult(here.String(), true)
				m.remember(here, true) // a second failure: the hold is two seconds
				time.Sleep(2 * memoryHold)
				if v := m.consult(here.String(), true); v != worthATrial {
					t.Fatal(v)
				}

				ctx, cancel := context.WithCancel(context.Background())
				if tt.deadline > 0 {
					ctx, cancel = context.WithTimeout(context.Background(), tt.deadline)
				}
				r := race{headStart: DefaultHeadStart, memory: &m, start: time.Now()}
				mp, mpConn := fakeAttempt(ctx, tt.after, tt.err)
				mp.isTrial.Store(true)
				tcp, tcpConn := fakeAttempt(ctx, rtt, nil)
				giveUp := time.After(giveUpAfter)
				<-tcp.done
				c, err := r.settle(ctx, mp, tcp, giveUp)
				mp.abandon()
				tcp.abandon()
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(r.start); took > tt.took {
					t.Errorf("the dial took %v, want %v", took, tt.took)
				}
				if (c == mpConn) != tt.multipath || (c == tcpConn) == tt.multipath {
					t.Errorf("Multipath TCP was used: %v", c == mpConn)
				}
				if !tt.multipath && tt.err == nil && r.onPlain.reason != mptcp.ReasonRemembered {
					t.Errorf("the reason is %v", r.onPlain.reason)
				}

				if wait := tt.learnt - time.Since(r.start); wait > 0 {
					time.Sleep(wait)
				}
				synctest.Wait()
				if tt.next == unknown && m.Len() != 0 {
					t.Error("the destination is still remembered")
				}
				time.Sleep(trialLease - time.Since(r.start))
				switch tt.next {
				case knownBad: // for twice as long as before
					time.Sleep(tt.learnt + 4*memoryHold - time.Since(r.start) - time.Millisecond)
					if v := m.consult(here.String(), true); v != knownBad {
						t.Errorf("before the end of the next hold: %v", v)
					}
					time.Sleep(time.Millisecond)
					if v := m.consult(here.String(), true); v != worthATrial {
						t.Errorf("at the end of the next hold: %v", v)
					}
				default:
					if v := m.consult(here.String(), true); v != tt.next {
						t.Errorf("the next dial is told %v, want %v", v, tt.next)
					}
				}
				used, left := mpConn, tcpConn
				if !tt.multipath {
					used, left = left, used
				}
				if used.closed || tt.err == nil && tt.after > 0 && !left.closed {
					t.Errorf("the connection is closed: %v, that of the other attempt: %v", used.closed, left.closed)
				}
			})
		})
	}
}

var errRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

// TestPatience: an answer that jitter delays by some tens of milliseconds is
// waited for, also on a path that is shorter, and none for longer than the head
// start.
func TestPatience(t *testing.T) {
	for _, c := range []struct{ connect, headStart, want time.Duration }{
		{0, DefaultHeadStart, 40 * time.Millisecond},
		{15 * time.Millisecond, DefaultHeadStart, 40 * time.Millisecond},
		{50 * time.Millisecond, DefaultHeadStart, 100 * time.Millisecond},
		{time.Second, DefaultHeadStart, DefaultHeadStart},
		{time.Second, -1, DefaultHeadStart},
		{10 * time.Second, 5 * time.Second, giveUpAfter},
	} {
		tcp := &attempt{connected: int64(c.connect)}
		if got := (&race{headStart: c.headStart}).patience(tcp); got != c.want {
			t.Errorf("TCP connected in %v, head start %v: %v, want %v", c.connect, c.headStart, got, c.want)
		}
	}
}
