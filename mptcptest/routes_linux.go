package mptcptest

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// address adds or removes an address. IPv6 addresses are usable at once:
// nobody else can have them.
func (r *routeConn) address(index int, p netip.Prefix, add bool) error {
	typ, flags, what := uint16(unix.RTM_NEWADDR), create, "adding address "
	if !add {
		typ, flags, what = unix.RTM_DELADDR, 0, "removing address "
	}
	// ifaddrmsg: family, prefix length, flags, scope, index (4).
	h := []byte{family(p.Addr()), uint8(p.Bits()), unix.IFA_F_NODAD | unix.IFA_F_PERMANENT, unix.RT_SCOPE_UNIVERSE, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	return r.request(what+p.String(), typ, flags, h, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
		ae.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
	})
}

// entry is a route. The zero Gateway means on-link, interface 0 means that
// there is none: such packets are refused.
type entry struct {
	dst     netip.Prefix
	gateway netip.Addr
	source  netip.Addr // preferred
	index   int
	table   uint32
	metric  uint32
}

// rtmsg: family, destination length, source length, tos, table, protocol,
// scope, type, flags (4).
func (e entry) header() []byte {
	typ, scope := uint8(unix.RTN_UNICAST), uint8(unix.RT_SCOPE_UNIVERSE)
	switch {
	case e.index == 0:
		typ = unix.RTN_UNREACHABLE
	case !e.gateway.IsValid():
		scope = unix.RT_SCOPE_LINK
	}
	return []byte{family(e.dst.Addr()), uint8(e.dst.Bits()), 0, 0, unix.RT_TABLE_UNSPEC, unix.RTPROT_STATIC, scope, typ, 0, 0, 0, 0}
}

func (r *routeConn) addRoute(e entry) error {
	return r.request("adding a route to "+e.dst.String(), unix.RTM_NEWROUTE, create, e.header(), func(ae *netlink.AttributeEncoder) {
		if e.dst.Bits() > 0 {
			ae.Bytes(unix.RTA_DST, e.dst.Masked().Addr().AsSlice())
		}
		if e.gateway.IsValid() {
			ae.Bytes(unix.RTA_GATEWAY, e.gateway.AsSlice())
		}
		if e.source.IsValid() {
			ae.Bytes(unix.RTA_PREFSRC, e.source.AsSlice())
		}
		if e.index != 0 {
			ae.Uint32(unix.RTA_OIF, uint32(e.index))
		}
		ae.Uint32(unix.RTA_TABLE, e.table)
		ae.Uint32(unix.RTA_PRIORITY, e.metric)
	})
}

// ruleFrom sends what has the source address src to a table.
func (r *routeConn) ruleFrom(src netip.Addr, table uint32) error {
	// fib_rule_hdr: like rtmsg, with an action (to a table: 1) in the place of
	// the type.
	h := []byte{family(src), 0, uint8(src.BitLen()), 0, unix.RT_TABLE_UNSPEC, 0, 0, unix.FR_ACT_TO_TBL, 0, 0, 0, 0}
	return r.request("adding a rule for "+src.String(), unix.RTM_NEWRULE, netlink.Create|netlink.Excl, h, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.FRA_SRC, src.AsSlice())
		ae.Uint32(unix.FRA_TABLE, table)
		ae.Uint32(unix.FRA_PRIORITY, 1000)
	})
}

// neighbour fixes the hardware address of another host on the link, so that no
// packet is ever held up or lost by resolving it.
func (r *routeConn) neighbour(index int, a netip.Addr, mac net.HardwareAddr) error {
	// ndmsg: family, padding (3), index (4), state (2), flags, type.
	h := make([]byte, 12)
	h[0] = family(a)
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	binary.NativeEndian.PutUint16(h[8:], unix.NUD_PERMANENT)
	return r.request("adding neighbour "+a.String(), unix.RTM_NEWNEIGH, create, h, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.NDA_DST, a.AsSlice())
		ae.Bytes(unix.NDA_LLADDR, mac)
	})
}

// tokenBucket limits what leaves by an interface, in the kernel.
func (r *routeConn) tokenBucket(index int, rate Rate, limit int) error {
	const (
		tbfParms = 1 // TCA_TBF_PARMS
		tbfBurst = 6 // TCA_TBF_BURST
		ethernet = 1 // TC_LINKLAYER_ETHERNET
		tcHRoot  = 0xFFFFFFFF
	)
	// One millisecond, but no less than the largest packet that TSO makes.
	burst := max(uint32(rate/8/1000), 64<<10)
	// tcmsg: family, padding (3), index (4), handle (4), parent (4), info (4).
	h := make([]byte, 20)
	binary.NativeEndian.PutUint32(h[4:], uint32(index))
	binary.NativeEndian.PutUint32(h[12:], tcHRoot)
	return r.request("limiting the rate", unix.RTM_NEWQDISC, create, h, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.TCA_KIND, "tbf")
		ae.Nested(unix.TCA_OPTIONS, func(ae *netlink.AttributeEncoder) error {
			// tc_tbf_qopt: two tc_ratespec of 12 bytes (cell_log, linklayer,
			// overhead, cell_align, mpu, rate), limit, buffer, mtu.
			p := make([]byte, 36)
			p[1] = ethernet
			binary.NativeEndian.PutUint32(p[8:], uint32(min(rate/8, 1<<32-1)))
			binary.NativeEndian.PutUint32(p[24:], uint32(limit))
			ae.Bytes(tbfParms, p)
			ae.Uint32(tbfBurst, burst)
			return nil
		})
	})
}
