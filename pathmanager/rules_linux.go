package pathmanager

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Priorities of the last of the rules for an address, counted from Config.Table.
const (
	withEndpoint    = 2
	withoutEndpoint = 3
)

// A rule sends packets from an address to a routing table. It is comparable.
type rule struct {
	priority uint32
	table    uint32
	protocol uint8
	from     netip.Prefix // invalid: any
	specific bool         // without the default routes of the table
	v6       bool
	other    bool // it is about more than that, and not ours
}

// rulesFor are those for the address of a path. The priority of the last one
// says whether its endpoint is ours.
func (c Config) rulesFor(table uint32, a netip.Addr, endpoint bool) []rule {
	base := c.Table
	r := rule{priority: base, table: table, protocol: c.Protocol, from: netip.PrefixFrom(a, a.BitLen()), specific: true, v6: a.Is6()}
	specific, last := r, r
	specific.priority, specific.table = base+1, unix.RT_TABLE_MAIN
	last.priority, last.specific = base+withoutEndpoint, false
	if endpoint {
		last.priority = base + withEndpoint
	}
	return []rule{r, specific, last}
}

// decodeRule decodes a struct fib_rule_hdr and what follows it. What is not
// known is not an error, but makes it another one than ours: anybody may have
// any rule.
func decodeRule(b []byte) (rule, error) {
	if len(b) < unix.SizeofRtMsg {
		return rule{}, errTruncated
	}
	r := rule{v6: b[0] == unix.AF_INET6, table: uint32(b[4])}
	r.other = b[0] != unix.AF_INET && !r.v6 || b[1] != 0 || b[3] != 0 || b[7] != unix.FR_ACT_TO_TBL ||
		binary.NativeEndian.Uint32(b[8:])&unix.FIB_RULE_INVERT != 0
	for a, err := range attributes(b[unix.SizeofRtMsg:]) {
		if err != nil {
			return rule{}, err
		}
		switch n := len(a.Data); {
		case a.number() == unix.FRA_SRC:
			if src, ok := netip.AddrFromSlice(a.Data); ok {
				r.from = netip.PrefixFrom(src, int(b[2])).Masked()
			}
		case a.number() == unix.FRA_PRIORITY && n == 4:
			r.priority = binary.NativeEndian.Uint32(a.Data)
		case a.number() == unix.FRA_TABLE && n == 4:
			r.table = binary.NativeEndian.Uint32(a.Data)
		case a.number() == unix.FRA_PROTOCOL && n == 1:
			r.protocol = a.Data[0]
		case a.number() == unix.FRA_SUPPRESS_PREFIXLEN && n == 4:
			switch int32(binary.NativeEndian.Uint32(a.Data)) {
			case 0:
				r.specific = true
			case -1: // none
			default:
				r.other = true
			}
		case a.number() == unix.FRA_PAD:
		default: // whatever it is, ours have none
			r.other = true
		}
	}
	return r, nil
}

// encode makes the payload of a request to add or delete the rule.
func (r rule) encode() []byte {
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[2], h[7] = unix.AF_INET, byte(r.from.Bits()), unix.FR_ACT_TO_TBL
	if r.v6 {
		h[0] = unix.AF_INET6
	}
	var e encoder
	e.bytes(unix.FRA_SRC, r.from.Addr().AsSlice())
	e.uint32(unix.FRA_PRIORITY, r.priority)
	e.uint32(unix.FRA_TABLE, r.table)
	e.uint8(unix.FRA_PROTOCOL, r.protocol)
	if r.specific {
		e.uint32(unix.FRA_SUPPRESS_PREFIXLEN, 0)
	}
	return append(h, e...)
}

// text writes the rule as ip-rule(8) takes it.
func (r rule) text() string {
	table := fmt.Sprint(r.table)
	if r.table == unix.RT_TABLE_MAIN {
		table = "main"
	}
	s := fmt.Sprintf("from %v table %s pref %d", r.from.Addr(), table, r.priority)
	if r.specific {
		s += " suppress_prefixlength 0"
	}
	return s
}
