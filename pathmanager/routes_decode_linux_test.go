package pathmanager

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/recorded"
)

func TestRouteEncoding(t *testing.T) {
	for _, want := range []route{
		{table: 7103, protocol: 130, typ: unix.RTN_UNICAST, dst: netip.MustParsePrefix("0.0.0.0/0"), via: netip.MustParseAddr("10.2.0.2"), index: 3, metric: 1024},
		{table: 7103, protocol: 130, typ: unix.RTN_UNICAST, dst: netip.MustParsePrefix("10.2.0.0/24"), index: 3, metric: 1024},
		{table: 7103, protocol: 130, typ: unix.RTN_UNICAST, dst: netip.MustParsePrefix("0.0.0.0/0"), via: netip.MustParseAddr("fe80::1"), index: 3, metric: 1024, onlink: true},
		{table: 7103, protocol: 130, typ: unix.RTN_UNICAST, dst: netip.MustParsePrefix("::/0"), via: netip.MustParseAddr("fe80::1"), index: 3, metric: 1024},
		{table: 7100, protocol: 130, typ: unix.RTN_BLACKHOLE, dst: netip.MustParsePrefix("0.0.0.0/0"), metric: 102000808},
	} {
		got, err := decodeRoutes(want.encode())
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

// TestMultipathRoute: each hop of a route with several is one.
func TestMultipathRoute(t *testing.T) {
	h := []byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, 3, 0, unix.RTN_UNICAST, 0, 0, 0, 0}
	hop := func(index byte, gateway netip.Addr) []byte {
		var e encoder
		e.bytes(unix.RTA_GATEWAY, gateway.AsSlice())
		return append([]byte{byte(8 + len(e)), 0, 0, 0, index, 0, 0, 0}, e...)
	}
	var e encoder
	a, b := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.2.0.2")
	e.bytes(unix.RTA_MULTIPATH, slices.Concat(hop(2, a), hop(3, b)))
	got, err := decodeRoutes(append(h, e...))
	if err != nil || len(got) != 2 || got[0].via != a || got[0].index != 2 || got[1].via != b || got[1].index != 3 || !got[1].isDefault() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRuleEncoding(t *testing.T) {
	c, err := Config{}.checked()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"10.2.0.1", "fd00:2::1"} {
		for _, endpoint := range []bool{true, false} {
			for _, want := range c.rulesFor(7103, netip.MustParseAddr(a), endpoint) {
				if got, err := decodeRule(want.encode()); err != nil || got != want {
					t.Errorf("%+v, %v, want %+v", got, err, want)
				}
			}
		}
	}
}

// TestOtherRule: one that is about more than an address is not ours, whatever it
// is that we do not know.
func TestOtherRule(t *testing.T) {
	c, err := Config{}.checked()
	if err != nil {
		t.Fatal(err)
	}
	ours := c.rulesFor(7103, netip.MustParseAddr("10.2.0.1"), true)[2]
	var mark, later encoder
	mark.uint32(unix.FRA_FWMARK, 7)
	later.uint8(250, 1)
	for _, more := range []encoder{mark, later} {
		got, err := decodeRule(append(ours.encode(), more...))
		if err != nil || !got.other || got.from != ours.from || got.priority != ours.priority {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// TestSocket decodes what inet_diag says of a subflow.
func TestSocket(t *testing.T) {
	b := make([]byte, diagMsgSize)
	b[0] = afINET
	copy(b[4:], []byte{0x10, 0xe1, 0x01, 0xbb, 10, 2, 0, 1})
	copy(b[4+20:], []byte{10, 1, 0, 2})
	b[4+36] = 3
	var ulp, mptcp, whole encoder
	mptcp.uint32(ulpToken, 77)
	mptcp.uint32(ulpFlags, flagJoin|1<<2)
	ulp.bytes(1, []byte("mptcp\x00"))
	ulp.nested(ulpMPTCP, mptcp)
	whole.bytes(diagInfo, make([]byte, 8))
	whole.nested(diagULPInfo, ulp)
	got, ok, err := decodeSocket(append(b, whole...))
	if err != nil || !ok || got.token != 77 || !got.dialed ||
		got.local != netip.MustParseAddrPort("10.2.0.1:4321") || got.remote != netip.MustParseAddrPort("10.1.0.2:443") {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if _, ok, err := decodeSocket(b); ok || err != nil {
		t.Errorf("TCP: %v, %v", ok, err)
	}
	if _, _, err := decodeSocket(b[:10]); err == nil {
		t.Error("no error for a part of a message")
	}
}

// TestMemory: the metric holds all limits that there can be.
func TestMemory(t *testing.T) {
	c, err := Config{}.checked()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][2]Limits{
		{{Subflows: 2}, {Subflows: 8, AddAddrAccepted: 8}},
		{{}, {Subflows: 3}},
		{{Subflows: 40, AddAddrAccepted: 41}, {Subflows: 42, AddAddrAccepted: 43}},
	} {
		r := c.memory(want[0], want[1])
		before, after, all := c.remembered(&snapshot{routes: []route{r}})
		if !reflect.DeepEqual([2]Limits{before, after}, want) || len(all) != 1 {
			t.Errorf("metric %d: %v, %v, want %v", r.metric, before, after, want)
		}
	}
}

// TestRoutingRecorded reads what kernels say of an interface with addresses, a
// rule, and routes of several kinds.
func TestRoutingRecorded(t *testing.T) {
	needLittleEndian(t)
	kernels := 0
	for kernel, all := range recorded.Each(recorded.Routes) {
		kernels++
		var list []route
		for m := range recorded.Messages(all) {
			r, err := decodeRoutes(m[unix.SizeofNlMsghdr:])
			if err != nil {
				t.Errorf("Linux %s: %v: %x", kernel, err, m)
			}
			list = append(list, r...)
		}
		for _, want := range []struct {
			what string
			is   func(route) bool
		}{
			{"default route", func(r route) bool { return r.isDefault() && r.via == netip.MustParseAddr("10.9.0.2") && r.metric == 5 }},
			{"default route of IPv6", func(r route) bool { return r.isDefault() && r.via == netip.MustParseAddr("fd00:9::2") }},
			{"first hop", func(r route) bool { return r.dst.String() == "10.8.0.0/24" && r.via == netip.MustParseAddr("10.9.0.2") }},
			{"second hop", func(r route) bool { return r.dst.String() == "10.8.0.0/24" && r.via == netip.MustParseAddr("10.9.0.3") }},
			{"route of a table", func(r route) bool { return r.table == 7103 && r.protocol == 130 && r.onlink }},
			{"blackhole", func(r route) bool { return r.table == 7100 && r.typ == unix.RTN_BLACKHOLE }},
		} {
			if !slices.ContainsFunc(list, want.is) {
				t.Errorf("Linux %s: no %s in %+v", kernel, want.what, list)
			}
		}
	}
	for kernel, all := range recorded.Each(recorded.Rules) {
		var ours, others int
		for m := range recorded.Messages(all) {
			r, err := decodeRule(m[unix.SizeofNlMsghdr:])
			switch {
			case err != nil:
				t.Errorf("Linux %s: %v: %x", kernel, err, m)
			case !r.other && r.from.String() == "10.9.0.1/32" && r.table == 7103 && r.priority == 7100 && r.protocol == 130 && r.specific:
				ours++
			case r.other && r.v6 && r.priority == 7200:
				others++
			}
		}
		if ours != 1 || others != 1 {
			t.Errorf("Linux %s: %d and %d of the rules", kernel, ours, others)
		}
	}
	for kernel, all := range recorded.Each(recorded.Addresses) {
		var good []string
		for m := range recorded.Messages(all) {
			if a, err := decodeAddress(m[unix.SizeofNlMsghdr:]); err != nil {
				t.Errorf("Linux %s: %v: %x", kernel, err, m)
			} else if a.good() {
				good = append(good, a.prefix.String())
			}
		}
		slices.Sort(good)
		if !slices.Equal(good, []string{"10.9.0.1/24", "fd00:9::1/64"}) {
			t.Errorf("Linux %s: good addresses: %v", kernel, good)
		}
	}
	for kernel, all := range recorded.Each(recorded.Links) {
		kinds := make(map[string]string)
		for m := range recorded.Messages(all) {
			l, err := decodeLink(m[unix.SizeofNlMsghdr:])
			if err != nil {
				t.Errorf("Linux %s: %v: %x", kernel, err, m)
			}
			kinds[l.name] = l.kind
		}
		if kinds["wan0"] != "veth" || kinds["lo"] != "" {
			t.Errorf("Linux %s: kinds of links: %v", kernel, kinds)
		}
	}
	if kernels < 2 {
		t.Errorf("of %d kernels only", kernels)
	}
}

// FuzzRouting: whatever routing netlink says, it is understood or refused.
func FuzzRouting(f *testing.F) {
	c, _ := Config{}.checked()
	for _, r := range c.rulesFor(7103, netip.MustParseAddr("10.2.0.1"), true) {
		f.Add(r.encode())
	}
	f.Add(c.memory(Limits{}, Limits{}).encode())
	f.Add(route{typ: unix.RTN_UNICAST, dst: netip.MustParsePrefix("::/0"), via: netip.MustParseAddr("fe80::1"), index: 3}.encode())
	f.Add([]byte{2, 24, 0, 0, 3, 0, 0, 0, 8, 0, 2, 0, 10, 1, 0, 1, 8, 0, 1, 0, 10, 1, 0, 1})
	f.Add([]byte{2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 20, 0, 9, 0, 16, 0, 0, 0, 2, 0, 0, 0, 8, 0, 5, 0, 10, 1, 0, 2})
	for _, name := range []string{recorded.Links, recorded.Addresses, recorded.Rules, recorded.Routes} {
		for _, all := range recorded.Each(name) {
			for m := range recorded.Messages(all) {
				f.Add(m[unix.SizeofNlMsghdr:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = decodeSocket(b)
		l, _ := decodeLink(b)
		_ = l.live()
		if a, err := decodeAddress(b); err == nil && a.good() && !a.prefix.IsValid() {
			t.Error("a good address that is none")
		}
		if r, err := decodeRule(b); err == nil && !r.other && r.from.IsValid() {
			if again, err := decodeRule(r.encode()); err != nil || again.from != r.from || again.priority != r.priority {
				t.Errorf("%+v became %+v, %v", r, again, err)
			}
		}
		routes, err := decodeRoutes(b)
		if err != nil {
			return
		}
		for _, r := range routes {
			if r.isDefault() && r.dst.Addr().Is6() == r.dst.Addr().Is4() {
				t.Error("a default route of no family")
			}
		}
	})
}
