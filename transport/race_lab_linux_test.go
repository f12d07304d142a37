package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

// A scene is a client and a server with one link between them and nothing
// wrong yet. The server echoes.
type scene struct {
	t              testing.TB
	client, server *mptcptest.Host
	link           *mptcptest.Link
	memory         *transport.Memory
	address        string
}

// eachFamily runs f once with IPv4 and once with IPv6.
func eachFamily(t *testing.T, shape mptcptest.LinkConfig, server transport.Mode, f func(*testing.T, *scene)) {
	for _, family := range []string{"IPv4", "IPv6"} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			f(t, newScene(t, shape, server, family == "IPv6"))
		})
	}
}

func newScene(t testing.TB, shape mptcptest.LinkConfig, server transport.Mode, v6 bool) *scene {
	lab := mptcptest.New(t)
	s := &scene{t: t, client: lab.Host("client"), server: lab.Host("server"), memory: new(transport.Memory)}
	s.link = lab.Link(s.client, s.server, shape)
	s.address = s.listen(server, "0")
	addr := s.link.Addr(s.server)
	if v6 {
		addr = s.link.Addr6(s.server)
	}
	s.address = netip.AddrPortFrom(addr, netip.MustParseAddrPort(s.address).Port()).String()
	return s
}

// listen starts an echo server on every address of the server host.
func (s *scene) listen(mode transport.Mode, port string) (address string) {
	s.t.Helper()
	ln, err := (&transport.ListenConfig{NetListenConfig: s.server.ListenConfig(), Mode: mode}).
		Listen(context.Background(), "tcp", net.JoinHostPort("::", port))
	if err != nil {
		s.t.Fatal(err)
	}
	echo(s.t, ln)
	return ln.Addr().String()
}

func (s *scene) dialer() *transport.Dialer {
	return &transport.Dialer{NetDialer: s.client.Dialer(), Memory: s.memory}
}

// anew is dialer with a memory that is empty.
func (s *scene) anew() *transport.Dialer {
	s.memory = new(transport.Memory)
	return s.dialer()
}

// dial dials, exchanges data, and returns the status and how long the dial
// took.
func (s *scene) dial(d *transport.Dialer) (mptcp.Status, time.Duration) {
	s.t.Helper()
	start := time.Now()
	c, err := d.Dial("tcp", s.address)
	took := time.Since(start)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	roundTrip(s.t, c)
	st, err := mptcp.Inspect(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return st, took
}

// want dials and says what is wrong with that. A dial that takes too long is
// tried again, and not looked at: a machine that stands still delays a dial, and
// may make it another one, but never makes it fast.
func (s *scene) want(dialer func() *transport.Dialer, state mptcp.State, reason mptcp.Reason, most time.Duration) {
	s.t.Helper()
	for range 5 {
		st, took := s.dial(dialer())
		if took > most {
			s.t.Logf("%v after %v", st, took)
			continue
		}
		if st.State != state || st.Reason != reason {
			s.t.Errorf("%v: want %v (%v)", st, state, reason)
		}
		return
	}
	s.t.Errorf("no dial in five took less than %v", most)
}

// noBlackhole checks that the kernel has not switched Multipath TCP off.
func (s *scene) noBlackhole() {
	s.t.Helper()
	c := s.client.Counters()
	if c["Blackhole"] != 0 || c["MPCapableSYNTXDisabled"] != 0 {
		s.t.Errorf("the kernel has noticed a blackhole: %d, and left the option out %d times", c["Blackhole"], c["MPCapableSYNTXDisabled"])
	}
}

// TestLostSYN: one SYN with the option is lost, as any packet may be.
func TestLostSYN(t *testing.T) {
	for _, headStart := range []time.Duration{0, -1} {
		eachFamily(t, mptcptest.LinkConfig{Delay: 5 * time.Millisecond}, transport.Require, func(t *testing.T, s *scene) {
			dialer := func() *transport.Dialer {
				s.link.From(s.client).Inject(mptcptest.DropNth(1, func(p *mptcptest.Packet) bool { return p.SYN() && p.HasMPTCP() }))
				d := s.anew()
				d.HeadStart = headStart
				return d
			}
			most := 600 * time.Millisecond
			if headStart < 0 {
				most = 1500 * time.Millisecond // the kernel's own retransmission
			}
			s.want(dialer, mptcp.Multipath, 0, most)
			if s.memory.Len() != 0 {
				t.Error("a lost packet was taken for a middlebox")
			}
		})
	}
}

// TestResetSYN: a middlebox answers SYNs with the option by a reset.
func TestResetSYN(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{}, transport.Require, func(t *testing.T, s *scene) {
		s.link.Inject(mptcptest.ResetMPTCPSYN())
		s.want(s.anew, mptcp.Fallback, mptcp.ReasonSYNReset, transport.DefaultHeadStart)
		again := func() *transport.Dialer { // before the destination is worth a trial
			s.dial(s.anew())
			return s.dialer()
		}
		s.want(again, mptcp.Fallback, mptcp.ReasonRemembered, transport.DefaultHeadStart)
	})
}

// TestDroppedSYNACK: the kernel's own fallback does not help here, since the
// server goes on answering with the option to any SYN from the same port.
func TestDroppedSYNACK(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{}, transport.Require, func(t *testing.T, s *scene) {
		s.link.Inject(mptcptest.DropMPTCPSYNACK())
		s.want(s.anew, mptcp.Fallback, mptcp.ReasonSYNDropped, 600*time.Millisecond)
		s.noBlackhole()
	})
}

// TestSlowPath: a round trip that is longer than the head start. Multipath TCP
// began first and wins, and the TCP attempt never becomes a connection.
func TestSlowPath(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{Delay: 200 * time.Millisecond}, transport.Require, func(t *testing.T, s *scene) {
		s.want(s.anew, mptcp.Multipath, 0, 600*time.Millisecond)
	})
}

// TestSilentHost: a host that does not answer for 2.5 seconds, as one that is
// waking up, is no blackhole, though package net's dial makes it one.
func TestSilentHost(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{}, transport.Require, func(t *testing.T, s *scene) {
		silent := func() *transport.Dialer {
			time.AfterFunc(2500*time.Millisecond, s.link.Inject(mptcptest.DropAll()))
			return s.anew()
		}
		s.want(silent, mptcp.Multipath, 0, 4*time.Second)
		s.noBlackhole()
	})
}

// TestRequireSilent: in Mode Require there is no TCP attempt to settle for.
// The dial goes on, attempt after attempt, without leading the kernel to
// conclude anything.
func TestRequireSilent(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	heal := s.link.Inject(mptcptest.DropMPTCPSYN())
	d := s.dialer()
	d.Mode = transport.Require
	ctx, cancel := context.WithTimeout(context.Background(), 3500*time.Millisecond)
	defer cancel()
	_, err := d.DialContext(ctx, "tcp", s.address)
	if op := dialError(t, err); !op.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	time.AfterFunc(3*time.Second, heal)
	s.want(func() *transport.Dialer { return d }, mptcp.Multipath, 0, 7*time.Second)
	s.noBlackhole()
}

// TestNothingAfterTheEnd: no SYN leaves after a deadline or a cancellation,
// which package net's own fallback does not keep to.
func TestNothingAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 600*time.Millisecond)
		},
		"cancellation": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(600*time.Millisecond, cancel)
			return ctx, cancel
		},
		"before the head start ends": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 100*time.Millisecond)
		},
	} {
		for _, mode := range []transport.Mode{transport.Prefer, transport.Require, transport.Off} {
			t.Run(name+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
				var last atomic.Int64
				start := time.Now()
				s.link.From(s.client).Inject(mptcptest.DropIf("all SYNs", func(p *mptcptest.Packet) bool {
					if p.SYN() {
						last.Store(int64(time.Since(start)))
					}
					return p.SYN()
				}))
				ctx, cancel := end()
				defer cancel()
				d := s.dialer()
				d.Mode = mode
				_, err := d.DialContext(ctx, "tcp", s.address)
				over := time.Since(start)
				if op := dialError(t, err); !op.Timeout() && !errors.Is(op, context.Canceled) {
					t.Errorf("%v is neither a timeout nor a cancellation", err)
				}
				time.Sleep(1500 * time.Millisecond) // a retransmission would come by now
				if l := time.Duration(last.Load()); l == 0 || l > over {
					t.Errorf("the dial was over after %v, the last SYN left after %v", over, l)
				}
			})
		}
	}
}

// TestCancelChannel: net.Dialer.Cancel ends the whole dial and not one attempt.
func TestCancelChannel(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	s.link.Inject(mptcptest.DropMPTCPSYN())
	var plain atomic.Int64
	s.link.From(s.client).Inject(mptcptest.DropIf("other SYNs", func(p *mptcptest.Packet) bool {
		if p.SYN() && !p.HasMPTCP() {
			plain.Add(1)
		}
		return p.SYN()
	}))
	for range 10 {
		cancel := make(chan struct{})
		time.AfterFunc(transport.DefaultHeadStart/4, func() { close(cancel) })
		d := s.dialer()
		d.NetDialer.Cancel = cancel //nolint:staticcheck // deprecated, and kept
		_, err := d.Dial("tcp", s.address)
		if op := dialError(t, err); !errors.Is(op, context.Canceled) {
			t.Errorf("%v is no cancellation", err)
		}
	}
	if n := plain.Load(); n != 0 {
		t.Errorf("TCP was dialed %d times after the cancellation", n)
	}
}

// TestLocalPort: a local port serves one attempt at a time, and the dial
// succeeds all the same.
func TestLocalPort(t *testing.T) {
	for _, fault := range []mptcptest.Fault{mptcptest.DropMPTCPSYN(), mptcptest.ResetMPTCPSYN()} {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
			s.link.Inject(fault)
			d := s.dialer()
			d.NetDialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.link.Addr(s.client), 5555))
			if st, _ := s.dial(d); st.State != mptcp.Fallback {
				t.Error(st)
			}
			s.noBlackhole()
		})
	}
}

// TestLateTCP: TCP connects when the Multipath TCP attempt is about to be given
// up, and there is a long head start to confirm in. Nobody waits so long that
// the kernel sends the SYN without the option.
func TestLateTCP(t *testing.T) {
	for _, delay := range []time.Duration{100 * time.Millisecond, 225 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, mptcptest.LinkConfig{Delay: delay}, transport.Require, false)
			s.link.Inject(mptcptest.DropMPTCPSYN())
			late := func() *transport.Dialer {
				d := s.anew()
				d.HeadStart = 2750*time.Millisecond - 2*delay
				return d
			}
			s.want(late, mptcp.Fallback, mptcp.ReasonSYNDropped, 6*time.Second)
			time.Sleep(time.Second)
			s.noBlackhole()
		})
	}
}

// TestManyAtOnce: dials that meet the same middlebox at the same time learn
// one lesson.
func TestManyAtOnce(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	s.link.Inject(mptcptest.DropMPTCPSYN())
	before := measure(t)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			c, err := s.dialer().Dial("tcp", s.address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.Write([]byte("ping"))
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
			if st, err := mptcp.Inspect(c); err != nil || st.State != mptcp.Fallback || st.Reason != mptcp.ReasonSYNDropped {
				t.Errorf("%v, %v", st, err)
			}
		})
	}
	wg.Wait()
	s.want(s.dialer, mptcp.Fallback, mptcp.ReasonRemembered, transport.DefaultHeadStart)
	s.noBlackhole()
	backTo(t, before)
}
