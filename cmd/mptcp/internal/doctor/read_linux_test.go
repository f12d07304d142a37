package doctor

import (
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/internal/recorded"
)

const netlinkTable = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000000000000 0   1734       000405d1 0        0        0     2        0        19322
0000000000000000 16  12345      00000000 0        0        0     2        0        20001
0000000000000000 16  23456      00000200 0        0        0     2        0        20002
`

func TestListens(t *testing.T) {
	for group, want := range map[uint32]bool{1: false, 9: false, 10: true, 11: false, 32: false} {
		if got, err := listens(netlinkTable, group); got != want || err != nil {
			t.Errorf("group %d: %v, %v", group, got, err)
		}
	}
	for _, group := range []uint32{0, 33} {
		if _, err := listens(netlinkTable, group); err == nil {
			t.Errorf("group %d is shown", group)
		}
	}
}

// FuzzListens: whatever the file says, only a socket of generic netlink is in
// the group.
func FuzzListens(f *testing.F) {
	f.Add(netlinkTable, uint32(10))
	f.Add("", uint32(33))
	for _, b := range recorded.Each(recorded.NetLink) {
		f.Add(string(b), uint32(1))
	}
	f.Fuzz(func(t *testing.T, text string, group uint32) {
		ok, err := listens(text, group)
		if ok && (err != nil || !strings.Contains(text, "16")) {
			t.Errorf("%v, %v", ok, err)
		}
	})
}
