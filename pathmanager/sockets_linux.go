package pathmanager

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// sockets is a connection to inet_diag, which knows the subflows of all
// connections of a network namespace.
type sockets struct{ c *netlink.Conn }

func openSockets(ns *os.File) (s sockets, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = visit(ns, func() (err error) {
		s.c, err = netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
		return err
	})
	if err != nil {
		return sockets{}, failed("connecting to inet_diag", err)
	}
	return s, nil
}

func (s sockets) close() { s.c.Close() }

// list returns the subflows that are established or about to be. It costs some
// microseconds for each TCP socket of the network namespace.
func (s sockets) list() ([]socket, error) {
	const states = 1<<unix.BPF_TCP_ESTABLISHED | 1<<unix.BPF_TCP_SYN_SENT | 1<<unix.BPF_TCP_SYN_RECV
	var all []socket
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		msgs, err := s.c.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump},
			Data:   diagRequest(family, 1<<(diagInfo-1), states, [idSize]byte{}),
		})
		if err != nil {
			return nil, failed("looking at the connections (CONFIG_INET_DIAG)", err)
		}
		for _, m := range msgs {
			one, ok, err := decodeSocket(m.Data)
			if err != nil {
				return nil, failed("looking at the connections", err)
			}
			if ok {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// destroy resets the subflow of an event. That it has ended by itself is no error.
func (s sockets) destroy(e Event) error {
	local, remote := e.Local.Addr().Unmap(), e.Remote.Addr().Unmap()
	family := byte(unix.AF_INET)
	if local.Is6() {
		family = unix.AF_INET6
	}
	var id [idSize]byte
	binary.BigEndian.PutUint16(id[0:], e.Local.Port())
	binary.BigEndian.PutUint16(id[2:], e.Remote.Port())
	copy(id[4:20], local.AsSlice())
	copy(id[20:36], remote.AsSlice())
	binary.NativeEndian.PutUint32(id[36:], uint32(e.IfIndex))
	binary.NativeEndian.PutUint64(id[40:], ^uint64(0)) // whatever its cookie is
	_, err := s.c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.SOCK_DESTROY, Flags: netlink.Request | netlink.Acknowledge},
		Data:   diagRequest(family, 0, ^uint32(0), id),
	})
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return failed("closing a subflow (CONFIG_INET_DIAG_DESTROY)", err)
}

// diagRequest is a struct inet_diag_req_v2.
func diagRequest(family, ext byte, states uint32, id [idSize]byte) []byte {
	b := make([]byte, 8, 8+idSize)
	b[0], b[1], b[2] = family, unix.IPPROTO_TCP, ext
	binary.NativeEndian.PutUint32(b[4:], states)
	return append(b, id[:]...)
}
