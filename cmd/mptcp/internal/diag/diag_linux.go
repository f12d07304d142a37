package diag

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Connections lists the Multipath TCP connections of the calling thread's
// network namespace, and the listeners. It costs some milliseconds.
func Connections() ([]Connection, error) {
	return dump(unix.IPPROTO_MPTCP, 0, parseConnection)
}

// Subflows lists the TCP connections that belong to Multipath TCP ones.
func Subflows() ([]Subflow, error) {
	const listenAndTimeWait = 1<<stateListen | 1<<6 | 1<<12 // and half-open ones (TCP_NEW_SYN_RECV)
	return dump(unix.IPPROTO_TCP, listenAndTimeWait, parseSubflow)
}

// dump asks for all sockets of a protocol but those in some states.
func dump[T any](protocol uint32, without uint32, parse func([]byte) (T, bool)) ([]T, error) {
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("inet_diag: %w", err)
	}
	defer c.Close()
	var all []T
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		msgs, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump},
			Data:   request(family, protocol, without),
		})
		if err != nil {
			return nil, fmt.Errorf("inet_diag (CONFIG_INET_DIAG, CONFIG_INET_MPTCP_DIAG): %w", err)
		}
		for _, m := range msgs {
			if v, ok := parse(m.Data); ok {
				all = append(all, v)
			}
		}
	}
	return all, nil
}

// request is a struct inet_diag_req_v2 for all sockets, and
// INET_DIAG_REQ_PROTOCOL for a protocol that does not fit into it.
func request(family uint8, protocol, without uint32) []byte {
	const size, attrSize, reqProtocol = 56, 8, 3
	b := make([]byte, size+attrSize)
	ne := binary.NativeEndian
	b[0] = family
	b[1] = uint8(protocol) // meaningless for Multipath TCP, where the attribute counts
	b[2] = 1 << (attrInfo - 1)
	ne.PutUint32(b[4:], ^without)
	ne.PutUint16(b[size:], attrSize)
	ne.PutUint16(b[size+2:], reqProtocol)
	ne.PutUint32(b[size+4:], protocol)
	return b
}
