package mptcp

import (
	"maps"
	"testing"

	"github.com/multipath-go/mptcp/internal/recorded"
)

const netstat = `TcpExt: SyncookiesSent SyncookiesRecv
TcpExt: 0 1
IpExt: InNoRoutes
IpExt: 2
MPTcpExt: MPCapableSYNRX MPCapableSYNTX Blackhole NewInSomeKernel
MPTcpExt: 10 20 0 18446744073709551615
`

func TestParseNetstat(t *testing.T) {
	c, err := parseNetstat([]byte(netstat), "MPTcpExt")
	want := Counters{"MPCapableSYNRX": 10, "MPCapableSYNTX": 20, "Blackhole": 0, "NewInSomeKernel": 1<<64 - 1}
	if err != nil || !maps.Equal(c, want) {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := parseNetstat([]byte("TcpExt: A\nTcpExt: 1\n"), "MPTcpExt"); c != nil || err != nil {
		t.Errorf("absent group: %v, %v", c, err)
	}
	for _, bad := range []string{"MPTcpExt: A B\nMPTcpExt: 1\n", "MPTcpExt: A\n", "MPTcpExt: A\nMPTcpExt: x\n"} {
		if c, err := parseNetstat([]byte(bad), "MPTcpExt"); err == nil {
			t.Errorf("%q: %v", bad, c)
		}
	}
}

func TestCountersSub(t *testing.T) {
	d := Counters{"A": 5, "B": 2, "C": 1, "New": 1}.Sub(Counters{"A": 3, "B": 2, "C": 4})
	if !maps.Equal(d, Counters{"A": 2, "New": 1}) {
		t.Error(d)
	}
	var names []string
	for name := range (Counters{"B": 1, "A": 2}).Sorted() {
		names = append(names, name)
	}
	if len(names) != 2 || names[0] != "A" {
		t.Error(names)
	}
}

func FuzzParseNetstat(f *testing.F) {
	f.Add([]byte(netstat))
	for _, b := range recorded.Each(recorded.NetStat) {
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { parseNetstat(b, "MPTcpExt") })
}

// TestParseNetstatRecorded reads the file of kernels with Multipath TCP and
// without.
func TestParseNetstatRecorded(t *testing.T) {
	with, without := 0, 0
	for kernel, b := range recorded.Each(recorded.NetStat) {
		c, err := parseNetstat(b, "MPTcpExt")
		switch {
		case err != nil:
			t.Errorf("Linux %s: %v", kernel, err)
		case c == nil:
			without++
		case c["MPCapableSYNTX"] == 0 || c["MPJoinAckRx"] == 0 || len(c) < 50:
			t.Errorf("Linux %s: %v", kernel, c)
		default:
			with++
		}
	}
	if with < 2 || without == 0 {
		t.Errorf("%d kernels with Multipath TCP, %d without", with, without)
	}
}
