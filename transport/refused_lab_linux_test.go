package transport_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestClosedPort: a middlebox drops SYNs with the option, and the port is
// closed. TCP knows that at once, and the dial does not wait for silence to end.
func TestClosedPort(t *testing.T) {
	eachFamily(t, mptcptest.LinkConfig{}, transport.Require, func(t *testing.T, s *scene) {
		s.link.Inject(mptcptest.DropMPTCPSYN())
		s.address = netip.AddrPortFrom(netip.MustParseAddrPort(s.address).Addr(), 1).String()
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			start := time.Now()
			_, err := s.dialer().DialContext(ctx, "tcp", s.address)
			took := time.Since(start)
			cancel()
			op := dialError(t, err)
			if took > 600*time.Millisecond {
				t.Logf("after %v", took)
				continue // a machine that stands still makes it slow, and perhaps another error
			}
			if !errors.Is(op, syscall.ECONNREFUSED) || op.Timeout() || !strings.Contains(op.Error(), "no answer to SYNs with the Multipath TCP option") {
				t.Errorf("%v: want both that TCP was refused and that Multipath TCP was not answered", err)
			}
			s.noBlackhole()
			return
		}
		t.Error("no dial in five took less than 600 ms")
	})
}

// TestRefusedAndSilent: the deadline comes before the dial makes up its mind.
// The error holds what became of both attempts.
func TestRefusedAndSilent(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{Delay: 200 * time.Millisecond}, transport.Require, false)
	s.link.Inject(mptcptest.DropMPTCPSYN())
	s.address = netip.AddrPortFrom(netip.MustParseAddrPort(s.address).Addr(), 1).String()
	refused := false
	for range 5 {
		// TCP is refused after 650 ms, and Multipath TCP has 250 ms more.
		ctx, cancel := context.WithTimeout(context.Background(), 775*time.Millisecond)
		_, err := s.dialer().DialContext(ctx, "tcp", s.address)
		cancel()
		op := dialError(t, err)
		if !strings.Contains(op.Error(), "i/o timeout") {
			t.Errorf("%v: the deadline of the Multipath TCP attempt is missing", err)
		}
		if refused = errors.Is(op, syscall.ECONNREFUSED); refused {
			break
		}
	}
	if !refused {
		t.Error("no error in five says that TCP was refused")
	}
}

// TestUnreachable: nobody answers on the link. Package net would dial a second
// time, and double the time.
func TestUnreachable(t *testing.T) {
	s := newScene(t, mptcptest.LinkConfig{}, transport.Require, false)
	ip := s.link.Addr(s.server).Next() // not there
	s.address = netip.AddrPortFrom(ip, 80).String()
	start := time.Now()
	_, err := s.dialer().Dial("tcp", s.address)
	if op := dialError(t, err); !errors.Is(op, syscall.EHOSTUNREACH) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 4500*time.Millisecond {
		t.Errorf("took %v", took)
	}
}
