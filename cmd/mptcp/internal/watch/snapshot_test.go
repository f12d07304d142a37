package watch

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp"
)

func TestChanges(t *testing.T) {
	p := netip.MustParseAddrPort
	one := Subflow{Local: p("10.1.0.1:4"), Remote: p("10.3.0.1:80"), State: mptcp.TCPEstablished}
	two := Subflow{Local: p("10.2.0.1:5"), Remote: p("10.3.0.1:80"), State: mptcp.TCPEstablished, Backup: true}
	c := Connection{Local: one.Local, Remote: one.Remote, State: mptcp.Multipath, Subflows: []Subflow{one}}
	joined := c
	joined.Subflows = []Subflow{one, two}
	fallen := c
	fallen.State = mptcp.Fallback
	shot := func(list ...Connection) Snapshot { return Snapshot{Connections: list} }
	for _, x := range []struct {
		before, now Snapshot
		want        []string
	}{
		{shot(), shot(), nil},
		{shot(c), shot(c), nil},
		{shot(), shot(c), []string{"+ 10.1.0.1:4 > 10.3.0.1:80  multipath, 1 subflow"}},
		{shot(c), shot(), []string{"- 10.1.0.1:4"}},
		{shot(c), shot(joined), []string{"+   10.2.0.1:5 > 10.3.0.1:80  backup  RTT "}},
		{shot(joined), shot(c), []string{"-   10.2.0.1:5"}},
		{shot(c), shot(fallen), []string{"  10.1.0.1:4 > 10.3.0.1:80  fallback, TCP"}},
	} {
		got := x.now.Changes(x.before)
		ok := len(got) == len(x.want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], x.want[i])
		}
		if !ok {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	var b strings.Builder
	Snapshot{Listeners: []netip.AddrPort{p("[::]:443")}}.Write(&b)
	shot(joined).Write(&b)
	shot().Write(&b)
	for _, part := range []string{"Listening: [::]:443\n", "\n    10.2.0.1:5", "No connection"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("nothing of %q in\n%s", part, &b)
		}
	}
}
