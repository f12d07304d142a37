package handover

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// sockDestroy closes a TCP socket of the calling thread's namespace by
// inet_diag: SOCK_DESTROY with a struct inet_diag_req_v2.
func sockDestroy(local, remote netip.AddrPort) error {
	c, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	l, r := local.Addr().Unmap().As4(), remote.Addr().Unmap().As4()
	b := make([]byte, 56)
	b[0], b[1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], ^uint32(0)) // in any state
	binary.BigEndian.PutUint16(b[8:], local.Port())
	binary.BigEndian.PutUint16(b[10:], remote.Port())
	copy(b[12:], l[:])
	copy(b[28:], r[:])
	binary.NativeEndian.PutUint64(b[48:], ^uint64(0)) // with any cookie
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.SOCK_DESTROY, Flags: netlink.Request | netlink.Acknowledge},
		Data:   b,
	})
	return err
}
