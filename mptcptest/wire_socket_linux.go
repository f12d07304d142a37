package mptcptest

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/multipath-go/mptcp/internal/sockopt"
	"golang.org/x/sys/unix"
)

// packetSocket opens a socket for the raw frames of an interface, in the
// namespace of this thread.
func packetSocket(index int) (int, error) {
	// Protocol 0 receives nothing until bind says which interface: nothing of
	// others gets in between.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	var all [2]byte
	binary.BigEndian.PutUint16(all[:], unix.ETH_P_ALL)
	for _, o := range []struct{ level, opt, value int }{
		{unix.SOL_SOCKET, unix.SO_RCVBUF, 8 << 20}, // the kernel gives what net.core.rmem_max allows
		{unix.SOL_SOCKET, unix.SO_SNDBUF, 8 << 20},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(all[:]), Ifindex: index})
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

// plainPackets switches off what would let an interface hand over packets that
// are longer than the MTU or have no checksum yet.
func plainPackets(ifname string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for _, o := range []uint32{sockopt.OffloadTXChecksum, sockopt.OffloadTSO, sockopt.OffloadGRO} {
		if err := sockopt.SetOffload(fd, ifname, o, false); err != nil {
			return fmt.Errorf("switching off offloads of %s: %w", ifname, err)
		}
	}
	return nil
}
