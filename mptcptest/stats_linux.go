package mptcptest

import (
	"encoding/binary"
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// received reads how much the interface has received, from the kernel. On a
// kernel link a packet may be many segments in one.
func (e *end) received() (s Stats) {
	// Only a network that is being taken down has no such interface.
	_ = e.host.ns.route(func(r *routeConn) (err error) {
		s, err = r.stats(e.index)
		return err
	})
	return s
}

func (r *routeConn) stats(index int) (Stats, error) {
	msgs, err := r.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request},
		Data:   ifinfomsg(index, 0, 0),
	})
	if err != nil {
		return Stats{}, err
	}
	for _, m := range msgs {
		if len(m.Data) < unix.SizeofIfInfomsg {
			continue
		}
		ad, err := netlink.NewAttributeDecoder(m.Data[unix.SizeofIfInfomsg:])
		if err != nil {
			return Stats{}, err
		}
		for ad.Next() {
			// rtnl_link_stats64: received and sent packets, received and sent
			// bytes, received and sent errors, dropped of what was received.
			if b := ad.Bytes(); ad.Type() == unix.IFLA_STATS64 && len(b) >= 64 {
				u := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
				return Stats{Packets: u(0), Bytes: u(2) - etherLen*u(0), Dropped: u(6)}, nil
			}
		}
	}
	return Stats{}, errors.New("no statistics")
}
