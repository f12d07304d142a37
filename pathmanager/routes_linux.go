package pathmanager

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A route is a route, or one hop of a route with several. It is comparable.
type route struct {
	table    uint32
	protocol uint8
	typ      uint8 // RTN_…
	dst      netip.Prefix
	via      netip.Addr // invalid: on the link
	index    int        // of the interface
	metric   uint32
	onlink   bool // the gateway need not be on a known network
	source   netip.Addr
}

// isDefault says whether it leads anywhere.
func (r route) isDefault() bool {
	return r.dst.IsValid() && r.dst.Bits() == 0 && r.typ == unix.RTN_UNICAST
}

// decodeRoutes decodes a struct rtmsg and what follows it.
func decodeRoutes(b []byte) ([]route, error) {
	if len(b) < unix.SizeofRtMsg {
		return nil, errTruncated
	}
	r := route{table: uint32(b[4]), protocol: b[5], typ: b[7]}
	zero := netip.IPv4Unspecified()
	if b[0] == unix.AF_INET6 {
		zero = netip.IPv6Unspecified()
	} else if b[0] != unix.AF_INET {
		return nil, nil // of MPLS or the like
	}
	r.onlink = binary.NativeEndian.Uint32(b[8:])&unix.RTNH_F_ONLINK != 0
	dst := zero
	var hops []byte
	for a, err := range attributes(b[unix.SizeofRtMsg:]) {
		if err != nil {
			return nil, err
		}
		switch n := len(a.Data); {
		case a.number() == unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(a.Data)
		case a.number() == unix.RTA_TABLE && n == 4:
			r.table = binary.NativeEndian.Uint32(a.Data)
		case a.number() == unix.RTA_PRIORITY && n == 4:
			r.metric = binary.NativeEndian.Uint32(a.Data)
		case a.number() == unix.RTA_PREFSRC:
			r.source, _ = netip.AddrFromSlice(a.Data)
		case a.number() == unix.RTA_OIF && n == 4:
			r.index = int(int32(binary.NativeEndian.Uint32(a.Data)))
		case a.number() == unix.RTA_MULTIPATH:
			hops = a.Data
		default:
			r.hop(a)
		}
	}
	r.dst = netip.PrefixFrom(dst, int(b[1])).Masked()
	if hops == nil {
		return []route{r}, nil
	}
	return r.hops(hops)
}

// hop takes the gateway from an attribute.
func (r *route) hop(a Attribute) {
	switch {
	case a.number() == unix.RTA_GATEWAY:
		r.via, _ = netip.AddrFromSlice(a.Data)
	case a.number() == unix.RTA_VIA && len(a.Data) > 2: // struct rtvia: a gateway of the other family
		r.via, _ = netip.AddrFromSlice(a.Data[2:])
	}
}

// hops decodes a sequence of struct rtnexthop, each with attributes.
func (r route) hops(b []byte) ([]route, error) {
	var all []route
	for len(b) > 0 {
		if len(b) < unix.SizeofRtNexthop {
			return nil, errTruncated
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtNexthop || n > len(b) {
			return nil, errTruncated
		}
		one := r
		one.onlink = b[2]&unix.RTNH_F_ONLINK != 0
		one.index = int(int32(binary.NativeEndian.Uint32(b[4:])))
		for a, err := range attributes(b[unix.SizeofRtNexthop:n]) {
			if err != nil {
				return nil, err
			}
			one.hop(a)
		}
		all = append(all, one)
		b = b[min((n+3)&^3, len(b)):]
	}
	return all, nil
}

// encode makes the payload of a request to add or delete the route.
func (r route) encode() []byte {
	family, scope := byte(unix.AF_INET), byte(unix.RT_SCOPE_UNIVERSE)
	if r.dst.Addr().Is6() {
		family = unix.AF_INET6
	} else if r.typ == unix.RTN_UNICAST && !r.via.IsValid() {
		scope = unix.RT_SCOPE_LINK
	}
	h := make([]byte, unix.SizeofRtMsg)
	h[0], h[1], h[5], h[6], h[7] = family, byte(r.dst.Bits()), r.protocol, scope, r.typ
	if r.onlink {
		binary.NativeEndian.PutUint32(h[8:], unix.RTNH_F_ONLINK)
	}
	var e encoder
	if r.dst.Bits() > 0 {
		e.bytes(unix.RTA_DST, r.dst.Addr().AsSlice())
	}
	switch {
	case !r.via.IsValid():
	case r.via.Is6() != r.dst.Addr().Is6():
		e.bytes(unix.RTA_VIA, append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), r.via.AsSlice()...))
	default:
		e.bytes(unix.RTA_GATEWAY, r.via.AsSlice())
	}
	if r.index != 0 {
		e.uint32(unix.RTA_OIF, uint32(r.index))
	}
	e.uint32(unix.RTA_TABLE, r.table)
	e.uint32(unix.RTA_PRIORITY, r.metric)
	return append(h, e...)
}

// text writes the route as ip-route(8) takes it.
func (r route) text(name string) string {
	var b strings.Builder
	if r.typ == unix.RTN_BLACKHOLE {
		b.WriteString("blackhole ")
	}
	if r.dst.Bits() == 0 {
		b.WriteString("default")
	} else {
		b.WriteString(r.dst.String())
	}
	if r.via.IsValid() {
		b.WriteString(" via ")
		if r.via.Is6() != r.dst.Addr().Is6() {
			b.WriteString("inet6 ")
		}
		b.WriteString(r.via.String())
	}
	if r.index != 0 {
		b.WriteString(" dev " + name)
	}
	fmt.Fprintf(&b, " table %d metric %d", r.table, r.metric)
	if r.onlink {
		b.WriteString(" onlink")
	}
	return b.String()
}

// onLink are the networks of an interface and family that are reached without
// a gateway.
func onLink(all []route, index int, v6 bool) []netip.Prefix {
	var nets []netip.Prefix
	for _, r := range all {
		if r.table == unix.RT_TABLE_MAIN && r.index == index && r.typ == unix.RTN_UNICAST && !r.via.IsValid() &&
			r.dst.IsValid() && r.dst.Bits() > 0 && r.dst.Addr().Is6() == v6 &&
			!r.dst.Addr().IsLinkLocalUnicast() && !r.dst.Addr().IsMulticast() && !slices.Contains(nets, r.dst) {
			nets = append(nets, r.dst)
		}
	}
	return nets
}
