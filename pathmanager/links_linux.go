package pathmanager

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

var errTruncated = errors.New("truncated routing netlink message")

// A link is a network interface.
type link struct {
	index  int
	name   string
	kind   string // of a virtual one: "bridge", "wireguard", …
	master int    // the bridge, bond or VRF that it belongs to
	flags  uint32 // IFF_…
}

// live says whether packets can leave by it.
func (l link) live() bool { return l.flags&unix.IFF_UP != 0 && l.flags&unix.IFF_RUNNING != 0 }

// tunnels are the kinds of interfaces that need another interface to send by,
// or do not send at all.
var tunnels = map[string]bool{
	"dummy": true, "ifb": true, "tun": true, "wireguard": true, "gre": true, "gretap": true, "ip6gre": true,
	"ip6gretap": true, "erspan": true, "ipip": true, "sit": true, "ip6tnl": true, "vti": true, "vti6": true,
	"xfrm": true, "vxlan": true, "geneve": true, "nlmon": true,
}

// decodeLink decodes a struct ifinfomsg and what follows it.
func decodeLink(b []byte) (link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, errTruncated
	}
	l := link{index: int(int32(binary.NativeEndian.Uint32(b[4:]))), flags: binary.NativeEndian.Uint32(b[8:])}
	for a, err := range attributes(b[unix.SizeofIfInfomsg:]) {
		if err != nil {
			return link{}, err
		}
		switch n := len(a.Data); {
		case a.number() == unix.IFLA_IFNAME:
			l.name = text(a.Data)
		case a.number() == unix.IFLA_MASTER && n == 4:
			l.master = int(int32(binary.NativeEndian.Uint32(a.Data)))
		case a.number() == unix.IFLA_LINKINFO:
			for i, err := range attributes(a.Data) {
				if err != nil {
					return link{}, err
				}
				if i.number() == unix.IFLA_INFO_KIND {
					l.kind = text(i.Data)
				}
			}
		}
	}
	return l, nil
}

// text is a string of the kernel's without its final zero.
func text(b []byte) string { return string(bytes.TrimRight(b, "\x00")) }

// An address is one of an interface.
type address struct {
	index  int
	prefix netip.Prefix // with the host's bits
	scope  uint8
	flags  uint32 // IFA_F_…
}

// good says whether connections may begin there.
func (a address) good() bool {
	const bad = unix.IFA_F_DEPRECATED | unix.IFA_F_DADFAILED
	checking := a.flags&unix.IFA_F_TENTATIVE != 0 && a.flags&unix.IFA_F_OPTIMISTIC == 0
	return a.prefix.IsValid() && a.scope == unix.RT_SCOPE_UNIVERSE && a.flags&bad == 0 && !checking
}

// better says whether a socket would rather be bound to a than to b, if the
// route does not say: the first address of IPv4, and the temporary one of IPv6.
func (a address) better(b address) bool {
	temporary := func(x address) bool { return x.flags&unix.IFA_F_TEMPORARY != 0 } // in IPv4: secondary
	private := func(x address) bool { return x.prefix.Addr().Is6() && x.prefix.Addr().IsPrivate() }
	if private(a) != private(b) {
		return private(b)
	}
	return temporary(a) != temporary(b) && temporary(a) == a.prefix.Addr().Is6()
}

// decodeAddress decodes a struct ifaddrmsg and what follows it.
func decodeAddress(b []byte) (address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, errTruncated
	}
	bits := int(b[1])
	a := address{flags: uint32(b[2]), scope: b[3], index: int(int32(binary.NativeEndian.Uint32(b[4:])))}
	var local, peer netip.Addr
	for x, err := range attributes(b[unix.SizeofIfAddrmsg:]) {
		if err != nil {
			return address{}, err
		}
		switch n := len(x.Data); {
		case x.number() == unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(x.Data)
		case x.number() == unix.IFA_ADDRESS: // of the other end, if there is a local one
			peer, _ = netip.AddrFromSlice(x.Data)
		case x.number() == unix.IFA_FLAGS && n == 4:
			a.flags = binary.NativeEndian.Uint32(x.Data)
		}
	}
	if !local.IsValid() {
		local = peer
	}
	if local.IsValid() {
		a.prefix = netip.PrefixFrom(local, bits)
	}
	return a, nil
}
