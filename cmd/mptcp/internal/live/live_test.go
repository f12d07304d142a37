package live

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// TestFrame draws a connection with a subflow that carries something and one
// that has gone.
func TestFrame(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	now := time.Now()
	one := mptcp.Subflow{ID: 1, Local: netip.MustParseAddrPort("10.1.0.1:4"), Remote: netip.MustParseAddrPort("10.3.0.1:80"),
		State: mptcp.TCPEstablished, RTT: 20 * time.Millisecond, BytesAcked: 3e6}
	two := one
	two.ID, two.BytesAcked = 2, 0
	v := View{
		W: &term.Writer{}, Conn: a, start: now, told: "multipath",
		subflows: map[uint32]*subflow{2: {Subflow: two, gone: true}, 1: {Subflow: one, up: true}},
		history: []point{
			{now, map[uint32][2]uint64{1: {1e6, 0}}},
			{now.Add(time.Second), map[uint32][2]uint64{1: {3e6, 0}}},
		},
	}
	lines := strings.Split(v.frame(), "\n")
	if len(lines) != 6 || !strings.Contains(lines[0], "multipath") || !strings.Contains(lines[0], "up 16.0 Mbit/s") {
		t.Errorf("%q", lines)
	}
	if f := strings.Fields(lines[3]); strings.Join(f[4:11], " ") != "20.0 ms 16.0 Mbit/s 0 bit/s 3.0" || !strings.HasSuffix(lines[4], "gone") {
		t.Errorf("%q\n%q", lines[3], lines[4])
	}
	if i := strings.Index(lines[2], "state"); strings.Index(lines[3], "established") != i || strings.Index(lines[4], "gone") != i {
		t.Errorf("the columns do not meet:\n%s", strings.Join(lines, "\n"))
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 2_500_000: "2.5 MB", 3_000_000_000: "3.00 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[float64]string{0: "0 bit/s", 100: "800 bit/s", 1000: "8.0 kbit/s", 1e6: "8.0 Mbit/s", 1e9: "8.00 Gbit/s"} {
		if got := bits(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}
