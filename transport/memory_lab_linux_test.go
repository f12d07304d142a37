package transport_test

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestDroppedSYN: a middlebox drops SYNs with the option. The first dial costs
// the head start, later ones nothing, those that try Multipath TCP included, and
// Multipath TCP is back when the middlebox goes.
func TestDroppedSYN(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{}, transport.Require, func(t *testing.T, s *scene) {
		var mu sync.Mutex
		offers := make(map[netip.AddrPort]bool) // where SYNs with the option came from
		tried := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(offers)
		}
		heal := s.link.Inject(mptcptest.DropIf("SYN with MPTCP", func(p *mptcptest.Packet) bool {
			if !p.SYN() || p.ACK() || !p.HasMPTCP() {
				return false
			}
			mu.Lock()
			defer mu.Unlock()
			offers[p.Source()] = true
			return true
		}))
		s.want(s.anew, mptcp.Fallback, mptcp.ReasonSYNDropped, 600*time.Millisecond)
		s.want(s.dialer, mptcp.Fallback, mptcp.ReasonRemembered, transport.DefaultHeadStart)
		if s.memory.Len() != 1 {
			t.Errorf("%d destinations remembered", s.memory.Len())
		}

		// A dial after the hold tries both, and does not wait for Multipath TCP.
		// What it learns is known when the SYNs have had their time.
		for before, deadline := tried(), time.Now().Add(10*time.Second); tried() == before; {
			if time.Now().After(deadline) {
				t.Fatal("no trial in ten seconds")
			}
			s.want(s.dialer, mptcp.Fallback, mptcp.ReasonRemembered, transport.DefaultHeadStart)
			time.Sleep(50 * time.Millisecond)
		}
		s.noBlackhole()

		heal()
		other := func() *transport.Dialer {
			d := s.dialer()
			d.Memory = new(transport.Memory)
			return d
		}
		s.want(other, mptcp.Multipath, 0, transport.DefaultHeadStart)
		// The memory that has seen a failure or two learns of it in seconds.
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if st, _ := s.dial(s.dialer()); st.State == mptcp.Multipath {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("no Multipath TCP twenty seconds after the middlebox has gone")
			}
		}
		if s.memory.Len() != 0 {
			t.Error("the destination is still remembered")
		}
	})
}

// TestTrialLost: the SYN of a trial is lost as any packet may be. The dial uses
// TCP, and the kernel's second SYN, which leaves when the dial is long over, says
// that the middlebox has gone.
func TestTrialLost(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	before := measure(t)
	heal := s.link.Inject(mptcptest.DropMPTCPSYN())
	s.want(s.anew, mptcp.Fallback, mptcp.ReasonSYNDropped, 600*time.Millisecond)
	heal()
	var lost atomic.Bool
	s.link.From(s.client).Inject(mptcptest.DropIf("first SYN with MPTCP", func(p *mptcptest.Packet) bool {
		return p.SYN() && p.HasMPTCP() && lost.CompareAndSwap(false, true)
	}))
	deadline := time.Now().Add(20 * time.Second)
	for !lost.Load() {
		st, took := s.dial(s.dialer())
		if took < transport.DefaultHeadStart && (st.State != mptcp.Fallback || st.Reason != mptcp.ReasonRemembered) {
			t.Errorf("%v after %v", st, took)
		}
		if time.Now().After(deadline) {
			t.Fatal("no trial")
		}
		time.Sleep(50 * time.Millisecond)
	}
	for s.memory.Len() != 0 { // nobody dials, and yet it learns
		if time.Now().After(deadline) {
			t.Fatal("the destination is still remembered")
		}
		time.Sleep(10 * time.Millisecond)
	}
	backTo(t, before)
}
