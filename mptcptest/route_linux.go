package mptcptest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routeConn is a routing netlink socket of one namespace. It has the few
// requests that a laboratory makes; numbers and layouts are those of
// linux/rtnetlink.h and linux/if_link.h.
type routeConn struct{ c *netlink.Conn }

// route calls f with a connection to the namespace of this thread.
func route(f func(*routeConn) error) error {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	// Only the text of an error depends on it.
	_ = c.SetOption(netlink.ExtendedAcknowledge, true)
	return f(&routeConn{c})
}

// route calls f with a connection to the namespace.
func (ns *namespace) route(f func(*routeConn) error) error {
	return visit(ns.enter, func() error { return route(f) })
}

// request sends one message and waits for its acknowledgement.
func (r *routeConn) request(what string, typ uint16, flags netlink.HeaderFlags, header []byte, attrs func(*netlink.AttributeEncoder)) error {
	ae := netlink.NewAttributeEncoder()
	if attrs != nil {
		attrs(ae)
	}
	b, err := ae.Encode()
	if err == nil {
		_, err = r.c.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.Acknowledge | flags},
			Data:   append(header, b...),
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

const create = netlink.Create | netlink.Replace

// ifinfomsg: family, padding, type (2), index (4), flags (4), change (4).
func ifinfomsg(index int, flags, change uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], change)
	return b
}

// vethEnd is one end of a virtual Ethernet pair.
type vethEnd struct {
	name string
	ns   *namespace
	mac  net.HardwareAddr
	mtu  int
}

func (e vethEnd) attrs(ae *netlink.AttributeEncoder, fd int) {
	ae.String(unix.IFLA_IFNAME, e.name)
	ae.Bytes(unix.IFLA_ADDRESS, e.mac)
	ae.Uint32(unix.IFLA_MTU, uint32(e.mtu))
	ae.Uint32(unix.IFLA_NET_NS_FD, uint32(fd))
}

// vethPair makes a pair with each end in its own namespace from the start.
func (r *routeConn) vethPair(a, b vethEnd) error {
	const vethInfoPeer = 1
	var err error
	outer := a.ns.raw.Control(func(fdA uintptr) {
		err = b.ns.raw.Control(func(fdB uintptr) {
			err = r.request("making interface "+a.name, unix.RTM_NEWLINK, netlink.Create|netlink.Excl, ifinfomsg(0, 0, 0), func(ae *netlink.AttributeEncoder) {
				a.attrs(ae, int(fdA))
				ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
					ae.String(unix.IFLA_INFO_KIND, "veth")
					ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
						ae.Do(vethInfoPeer, func() ([]byte, error) {
							peer := netlink.NewAttributeEncoder()
							b.attrs(peer, int(fdB))
							p, err := peer.Encode()
							return append(ifinfomsg(0, 0, 0), p...), err
						})
						return nil
					})
					return nil
				})
			})
		})
	})
	if outer != nil {
		return outer
	}
	return err
}

// quiet keeps IPv6 from giving an interface a link-local address, and with it
// router solicitations and duplicate detection: on the links of a laboratory
// there are only the packets that a test sends, and some multicast reports,
// which a wire does not count.
func (r *routeConn) quiet(index int) error {
	return r.request("configuring interface", unix.RTM_NEWLINK, 0, ifinfomsg(index, 0, 0), func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
				ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, 1) // IN6_ADDR_GEN_MODE_NONE
				return nil
			})
			return nil
		})
	})
}

func (r *routeConn) setUp(index int, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	return r.request("setting interface", unix.RTM_NEWLINK, 0, ifinfomsg(index, flags, unix.IFF_UP), nil)
}

func (r *routeConn) deleteLink(index int) error {
	return r.request("deleting interface", unix.RTM_DELLINK, 0, ifinfomsg(index, 0, 0), nil)
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
