package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// eventsGroup is the number of the multicast group of the path manager's
// events.
func eventsGroup() (uint32, error) {
	c, err := genetlink.Dial(nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	f, err := c.GetFamily("mptcp_pm")
	if err != nil {
		return 0, err
	}
	for _, g := range f.Groups {
		if g.Name == "mptcp_pm_events" {
			return g.ID, nil
		}
	}
	return 0, errNoGroup
}

// routes asks routing netlink.
type routes struct{ c *netlink.Conn }

func dialRoutes() (*routes, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, fmt.Errorf("routing netlink: %w", err)
	}
	// Only the text of an error depends on it.
	_ = c.SetOption(netlink.ExtendedAcknowledge, true)
	return &routes{c}, nil
}

func (r *routes) close() { r.c.Close() }

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// rtmsg is a struct rtmsg.
func rtmsg(family, dstLen, srcLen, scope, typ uint8, flags uint32) []byte {
	b := []byte{family, dstLen, srcLen, 0, unix.RT_TABLE_UNSPEC, unix.RTPROT_BOOT, scope, typ, 0, 0, 0, 0}
	binary.NativeEndian.PutUint32(b[8:], flags)
	return b
}

// route is what the kernel says of one.
type route struct {
	family       uint8
	dstLen       uint8
	typ          uint8
	table        uint32
	oif          int
	gateway, src netip.Addr
}

func parseRoute(b []byte) (r route, err error) {
	if len(b) < unix.SizeofRtMsg {
		return route{}, errors.New("a route that is too short")
	}
	r.family, r.dstLen, r.table, r.typ = b[0], b[1], uint32(b[4]), b[7]
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtMsg:])
	if err != nil {
		return route{}, err
	}
	for ad.Next() {
		switch ad.Type() {
		case unix.RTA_TABLE:
			r.table = ad.Uint32()
		case unix.RTA_OIF:
			r.oif = int(ad.Uint32())
		case unix.RTA_GATEWAY:
			r.gateway, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_PREFSRC:
			r.src, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_MULTIPATH:
			r.firstHop(ad.Bytes())
		}
	}
	return r, ad.Err()
}

// firstHop takes the first of several hops: struct rtnexthop, and attributes.
func (r *route) firstHop(b []byte) {
	if len(b) < unix.SizeofRtNexthop {
		return
	}
	n := int(binary.NativeEndian.Uint16(b))
	if n < unix.SizeofRtNexthop || n > len(b) {
		return
	}
	r.oif = int(binary.NativeEndian.Uint32(b[4:]))
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtNexthop:n])
	if err != nil {
		return
	}
	for ad.Next() {
		if ad.Type() == unix.RTA_GATEWAY {
			r.gateway, _ = netip.AddrFromSlice(ad.Bytes())
		}
	}
}

// tunnels are the kinds of interfaces that need another one to send by, or do
// not send at all: no paths of their own.
var tunnels = map[string]bool{
	"dummy": true, "ifb": true, "tun": true, "wireguard": true, "gre": true, "gretap": true, "ip6gre": true,
	"ip6gretap": true, "erspan": true, "ipip": true, "sit": true, "ip6tnl": true, "vti": true, "vti6": true,
	"xfrm": true, "vxlan": true, "geneve": true, "nlmon": true,
}

// kinds finds the interfaces that are no paths of their own: tunnels, and
// members of a bridge or a bond.
func (r *routes) kinds(list []Interface) error {
	msgs, err := r.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofIfInfomsg),
	})
	if err != nil {
		return fmt.Errorf("reading the interfaces: %w", err)
	}
	for _, m := range msgs {
		index, aside := parseLink(m.Data)
		for i := range list {
			if list[i].Index == index {
				list[i].Aside = aside
			}
		}
	}
	return nil
}

// parseLink decodes a struct ifinfomsg and what follows it.
func parseLink(b []byte) (index int, aside bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return 0, false
	}
	eachAttr(b[unix.SizeofIfInfomsg:], func(typ uint16, v []byte) {
		switch typ {
		case unix.IFLA_MASTER:
			aside = true
		case unix.IFLA_LINKINFO:
			eachAttr(v, func(typ uint16, v []byte) {
				if typ == unix.IFLA_INFO_KIND && tunnels[cString(v)] {
					aside = true
				}
			})
		}
	})
	return int(int32(binary.NativeEndian.Uint32(b[4:]))), aside
}

// gateways finds the default routes of all tables.
func (r *routes) gateways(list []Interface) error {
	for _, f := range []uint8{unix.AF_INET, unix.AF_INET6} {
		msgs, err := r.c.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
			Data:   rtmsg(f, 0, 0, 0, 0, 0),
		})
		if err != nil {
			return fmt.Errorf("reading the routes: %w", err)
		}
		for _, m := range msgs {
			rt, err := parseRoute(m.Data)
			if err != nil || rt.dstLen != 0 || rt.typ != unix.RTN_UNICAST {
				continue
			}
			gw := rt.gateway
			if !gw.IsValid() {
				gw = netip.IPv4Unspecified()
				if f == unix.AF_INET6 {
					gw = netip.IPv6Unspecified()
				}
			}
			for i := range list {
				if list[i].Index == rt.oif {
					list[i].Gateways = append(list[i].Gateways, gw)
					list[i].GatewayTables = append(list[i].GatewayTables, rt.table)
				}
			}
		}
	}
	return nil
}

// lookup asks by which route a packet goes to dst, from src if that is valid
// and by an interface if that is not zero. ok is false if there is none.
func (r *routes) lookup(dst, src netip.Addr, oif int) (rt route, ok bool, err error) {
	srcLen := uint8(0)
	if src.IsValid() {
		srcLen = uint8(src.BitLen())
	}
	ae := netlink.NewAttributeEncoder()
	ae.Bytes(unix.RTA_DST, dst.AsSlice())
	if src.IsValid() {
		ae.Bytes(unix.RTA_SRC, src.AsSlice())
	}
	if oif != 0 {
		ae.Uint32(unix.RTA_OIF, uint32(oif))
	}
	attrs, err := ae.Encode()
	if err != nil {
		return route{}, false, err
	}
	msgs, err := r.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data:   append(rtmsg(family(dst), uint8(dst.BitLen()), srcLen, 0, 0, unix.RTM_F_LOOKUP_TABLE), attrs...),
	})
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EACCES),
		errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENETDOWN):
		return route{}, false, nil
	case err != nil:
		return route{}, false, fmt.Errorf("looking up the route from %v to %v: %w", src, dst, err)
	case len(msgs) == 0:
		return route{}, false, nil
	}
	rt, err = parseRoute(msgs[0].Data)
	if err != nil {
		return route{}, false, err
	}
	return rt, rt.typ == unix.RTN_UNICAST || rt.typ == unix.RTN_LOCAL, nil
}

// ways finds out how packets leave from the addresses of the endpoints and of
// all interfaces with a way out, to dst: one of each family.
func (r *routes) ways(h *Host, dst [2]netip.Addr) error {
	for n, to := range dst {
		// What connections come from that have no preference, and go far.
		first, ok, err := r.lookup([2]netip.Addr{somewhere4, somewhere6}[n], netip.Addr{}, 0)
		if err != nil {
			return err
		}
		for i := range h.Interfaces {
			ifc := &h.Interfaces[i]
			for _, a := range ifc.Addrs {
				if a.Is4() != (n == 0) {
					continue
				}
				w := Way{Addr: a, Dst: to, Primary: ok && first.src == a}
				out, found, err := r.lookup(to, a, 0)
				if err != nil {
					return err
				}
				if found {
					if via := h.byIndex(out.oif); via != nil {
						w.Leaves = via.Name
					}
				}
				if w.Bound, err = r.bound(ifc, to, a); err != nil {
					return err
				}
				h.Ways = append(h.Ways, w)
			}
		}
	}
	return nil
}

// bound says whether packets of a socket that is bound to the interface find a
// way. Where IPv4 finds no route by it, it takes the whole world for neighbours,
// which only is so on a link between two.
func (r *routes) bound(ifc *Interface, dst, src netip.Addr) (bool, error) {
	rt, ok, err := r.lookup(dst, src, ifc.Index)
	if err != nil || !ok || rt.oif != ifc.Index {
		return false, err
	}
	if rt.gateway.IsValid() || ifc.PointToPoint {
		return true, nil
	}
	// Without a gateway: is it a neighbour, or was there no route?
	for _, g := range ifc.Gateways {
		if g.IsUnspecified() && g.Is4() == dst.Is4() {
			return true, nil
		}
	}
	direct, ok, err := r.lookup(dst, netip.Addr{}, 0)
	return err == nil && ok && direct.oif == ifc.Index && !direct.gateway.IsValid(), err
}

// change sends a request that alters something, and waits for the answer.
func (r *routes) change(typ netlink.HeaderType, header []byte, attrs func(*netlink.AttributeEncoder)) error {
	ae := netlink.NewAttributeEncoder()
	attrs(ae)
	b, err := ae.Encode()
	if err != nil {
		return err
	}
	_, err = r.c.Execute(netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl},
		Data:   append(header, b...),
	})
	return err
}
