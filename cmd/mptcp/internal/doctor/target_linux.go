package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

const (
	dialTimeout = 6 * time.Second
	joinTimeout = 2500 * time.Millisecond // the SYN of a subflow may be lost once
	quietTime   = 300 * time.Millisecond  // at least, for an announcement that may come
)

// findTarget dials the target by TCP, which settles its address.
func findTarget(ctx context.Context, name string) (*Target, error) {
	if _, _, err := net.SplitHostPort(name); err != nil {
		return nil, fmt.Errorf("target %q: want HOST:PORT: %w", name, err)
	}
	t := &Target{Name: name}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := transport.Dialer{Mode: transport.Off}
	start := time.Now()
	c, err := d.DialContext(ctx, "tcp", name)
	t.TCP = Try{Took: time.Since(start)}
	if err != nil {
		t.TCP.fail(err)
		return t, nil
	}
	defer c.Close()
	t.TCP.State = mptcp.TCP.String()
	t.Addr = addrPort(c.RemoteAddr())
	t.TCP.From = addrPort(c.LocalAddr()).Addr()
	return t, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// fail notes an error, without the addresses that are said elsewhere.
func (t *Try) fail(err error) {
	t.err = err
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		t.err = op.Err
	}
	t.Err = t.err.Error()
}

// dialTarget dials the target by Multipath TCP, and where that does not do
// everything that it should, from the other addresses of this host as well.
func (h *Host) dialTarget(ctx context.Context) {
	t := h.Target
	v4 := t.Addr.Addr().Is4()
	for _, e := range h.Endpoints {
		// A laminar endpoint waits for an announcement.
		if e.Flags&pathmanager.Subflow != 0 && e.Addr.Is4() == v4 && e.Addr != t.TCP.From && h.byAddr(e.Addr) != nil {
			t.Expected = append(t.Expected, e.Addr)
		}
	}
	before, _ := mptcp.ReadCounters() // without them nothing was announced
	start := time.Now()
	t.Main = h.try(ctx, t, t.TCP.From, transport.Prefer, func(c net.Conn) { h.watchJoins(ctx, t, c, before) })
	if t.Finished = t.Finished || t.Main.closed; t.Finished {
		t.Missing = nil // nothing can join what has ended
		if t.Main.err == nil {
			h.compareEnds(ctx, t, time.Since(start)+joinTimeout)
		}
	}
	if t.passes(t.Main) && !t.Reset && len(t.Missing) == 0 || t.Main.Status.Reason == mptcp.ReasonHostSuppressed {
		return
	}
	var look func(net.Conn)
	if t.Reset { // what passes until then proves nothing
		look = func(c net.Conn) { _ = endsBefore(ctx, c, joinTimeout) } // the status tells
	}
	for _, u := range h.uplinks(v4) {
		if u.addr == t.TCP.From {
			continue
		}
		t.OtherTCP = append(t.OtherTCP, h.try(ctx, t, u.addr, transport.Off, nil))
		t.Others = append(t.Others, h.try(ctx, t, u.addr, transport.Prefer, look))
	}
}

// compareEnds finds out who has ended the connection by Multipath TCP. A peer
// that was done with it ends one by TCP as well, about as soon.
func (h *Host) compareEnds(ctx context.Context, t *Target, patience time.Duration) {
	ends := false
	tcp := h.try(ctx, t, t.TCP.From, transport.Off, func(c net.Conn) { ends = endsBefore(ctx, c, patience) })
	t.Reset = tcp.err == nil && !ends && ctx.Err() == nil
	if !t.Reset { // whatever it has become as it ended
		t.Main.Status, t.Main.closed = mptcp.Status{State: mptcp.Multipath}, true
		t.Main.State = t.Main.Status.String()
	}
}

// poke sends a byte and reads what comes. The channel is closed when the
// connection ends from the other side, and in any case when c is closed.
//
// After one byte most servers wait for more: it completes no line and no record
// of TLS.
func poke(c net.Conn) (finished <-chan struct{}, err error) {
	if _, err := c.Write([]byte("\r")); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, c) // how it ends does not matter
	}()
	return done, nil
}

// endsBefore sends a byte and says whether the connection ends within d.
func endsBefore(ctx context.Context, c net.Conn, d time.Duration) bool {
	finished, err := poke(c)
	if err != nil {
		return true
	}
	patience := time.NewTimer(d)
	defer patience.Stop()
	for {
		select {
		case <-finished:
			return true
		case <-ctx.Done():
			return false
		case <-patience.C:
			return false
		case <-time.After(10 * time.Millisecond):
		}
		// Linux does not tell a reader that the last subflow was reset.
		if s, err := mptcp.Inspect(c); err != nil || s.Reason == mptcp.ReasonNoSubflow {
			return true
		}
	}
}

// try dials the target from an address. look sees the connection while it is
// open and before its status is read.
func (h *Host) try(ctx context.Context, t *Target, from netip.Addr, mode transport.Mode, look func(net.Conn)) Try {
	r := Try{From: from}
	if ifc := h.byAddr(from); ifc != nil {
		r.Dev = ifc.Name
	} else if from.IsLoopback() {
		r.Dev = "lo"
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := transport.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice(), Zone: from.Zone()}},
		Mode:      mode,
		Memory:    new(transport.Memory), // nothing is known of any destination
	}
	start := time.Now()
	c, err := d.DialContext(ctx, "tcp", t.Addr.String())
	r.Took = time.Since(start)
	if err != nil {
		r.fail(err)
		return r
	}
	defer c.Close()
	if look != nil {
		look(c)
	}
	if r.Status, err = mptcp.Inspect(c); err != nil {
		r.fail(err)
		return r
	}
	if r.Status.Reason == mptcp.ReasonNoSubflow {
		// It was a Multipath TCP connection, and has ended already: the peer has
		// closed it, or something on the way has reset it.
		r.Status, r.closed = mptcp.Status{State: mptcp.Multipath}, true
	}
	r.State = r.Status.String()
	return r
}

// watchJoins waits for the subflows that the endpoints should open, and for
// what the peer announces.
func (h *Host) watchJoins(ctx context.Context, t *Target, c net.Conn, before mptcp.Counters) {
	if status, err := mptcp.Inspect(c); err != nil || status.State != mptcp.Multipath {
		return
	}
	// A subflow joins after the peer has acknowledged something.
	finished, err := poke(c)
	if err != nil {
		return
	}
	expected := t.Expected
	if h.userspace() || h.Limits.Subflows == 0 {
		expected = nil
	}
	quiet := min(max(quietTime, 5*t.TCP.Took), joinTimeout)
	start := time.Now()
	for {
		subflows, err := mptcp.Subflows(c)
		if err != nil {
			break
		}
		t.Subflows = t.Subflows[:0]
		joined := make(map[netip.Addr]bool)
		t.Established = 0
		for _, s := range subflows {
			t.Subflows = append(t.Subflows, Subflow{s.Local, s.Remote, s.State.String(), s.RTT})
			if s.State == mptcp.TCPEstablished {
				joined[s.Local.Addr()] = true
				t.Established++
			}
		}
		t.Missing = nil
		for _, a := range expected {
			if !joined[a] {
				t.Missing = append(t.Missing, a)
			}
		}
		if status, err := mptcp.Inspect(c); err != nil || status.State != mptcp.Multipath {
			break // fallen back, or reset
		}
		if after, err := mptcp.ReadCounters(); err == nil {
			t.AddAddrs = after["AddAddr"] - before["AddAddr"]
			t.Answered = after["MPJoinSynAckRx"] - before["MPJoinSynAckRx"]
		}
		waited := time.Since(start)
		waiting := len(t.Missing) > 0 || t.AddAddrs > 0 && h.Limits.AddAddrAccepted > 0 && t.Established < 2
		if waited >= joinTimeout || !waiting && waited >= quiet {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
			continue
		case <-finished:
			t.Finished = true
		case <-ctx.Done():
		}
		break
	}
	if status, err := mptcp.Inspect(c); err != nil || status.State != mptcp.Multipath {
		// A reset that has no option is taken for a fallback first
		// (check_fully_established in net/mptcp/options.c).
		select {
		case <-finished:
			t.Finished = true
		case <-time.After(quiet):
		}
	}
	limit := int(h.Limits.Subflows) + 1
	if len(t.Subflows) >= limit {
		t.Missing = nil // as many as may be: which ones is the kernel's choice
	}
}
