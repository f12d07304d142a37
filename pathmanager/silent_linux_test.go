package pathmanager

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
)

// TestJudge: silence is data in flight without progress, while another subflow
// is not silent.
func TestJudge(t *testing.T) {
	const rtt, margin = 20 * time.Millisecond, 50 * time.Millisecond
	j := judge{margin: margin, seen: make(map[subflowKey]progress)}
	wifi, lte := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.2.0.1")
	start := time.Now()
	look := func(after time.Duration, wifiUnacked uint32, wifiAcked uint64, lteUnacked uint32, lteAcked uint64, want ...netip.Addr) {
		t.Helper()
		s := func(id uint32, a netip.Addr, unacked uint32, acked uint64) mptcp.Subflow {
			return mptcp.Subflow{
				ID: id, Local: netip.AddrPortFrom(netip.AddrFrom16(a.As16()), 1), State: mptcp.TCPEstablished,
				RTT: rtt, Unacked: unacked, BytesAcked: acked,
			}
		}
		all := []mptcp.Subflow{s(1, wifi, wifiUnacked, wifiAcked), s(2, lte, lteUnacked, lteAcked)}
		all = append(all, mptcp.Subflow{ID: 3, Unacked: 1}) // being opened
		if got := j.connection(7, all, start.Add(after)); !slices.Equal(got, want) {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	const patient = 3*rtt + margin
	look(0, 1, 100, 0, 0)
	look(patient, 1, 100, 0, 0)             // not yet
	look(patient+1, 1, 100, 0, 0, wifi)     // the other has nothing to do
	look(patient+2, 1, 101, 0, 0)           // progress
	look(2*patient+2, 1, 101, 1, 1)         // not yet, and the other has something to do
	look(2*patient+3, 1, 101, 1, 1, wifi)   // now
	look(3*patient+3, 1, 101, 1, 1)         // both: it is the peer
	look(3*patient+4, 1, 101, 1, 2, wifi)   // the other is alive again
	look(3*patient+5, 0, 101, 1, 2)         // nothing in flight
	look(9*patient, 0, 101, 1, 2, lte)      // for long
	look(9*patient+1, 0, 101, 0, 3)         // nothing at all
	look(99*patient, 0, 101, 0, 3)          // for very long
	look(99*patient+1, 5, 101, 0, 3)        // begins to count now
	look(100*patient, 5, 101, 0, 3)         // not yet
	look(100*patient+1, 5, 101, 0, 3, wifi) // now
}

// TestSilence: how a path that has gone silent is tried again.
func TestSilence(t *testing.T) {
	a := netip.MustParseAddr("10.1.0.1")
	k := &keeper{Manager: &Manager{}, silent: map[netip.Addr]*silence{a: {wait: firstSilent}}}
	if m := k.muted(); !m[a] {
		t.Error("it has an endpoint")
	}
	k.silent[a].trial = true
	if m, ok := k.muted()[a]; m || !ok {
		t.Error("it has no endpoint, or does not come last")
	}
	k.paths = []Path{{Addr: a, Flags: Subflow}, {Addr: netip.MustParseAddr("fd00::1"), Flags: Subflow}}
	if k.another(a) {
		t.Error("a path of another family counts")
	}
	k.paths = append(k.paths, Path{Addr: netip.MustParseAddr("10.2.0.1")})
	if k.another(a) {
		t.Error("a path without an endpoint counts")
	}
	k.paths[2].Flags = Subflow | Backup
	if !k.another(a) {
		t.Error("a backup does not count")
	}
}
