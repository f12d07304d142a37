package sockopt

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offloads that [SetOffload] switches, from linux/ethtool.h.
const (
	OffloadTXChecksum = 0x17 // ETHTOOL_STXCSUM
	OffloadTSO        = 0x1f // ETHTOOL_STSO
	OffloadGRO        = 0x2c // ETHTOOL_SGRO
)

// SetOffload switches an offload of a network interface. fd is any socket in
// the interface's namespace.
func SetOffload(fd int, ifname string, offload uint32, on bool) error {
	value := struct{ cmd, data uint32 }{cmd: offload}
	if on {
		value.data = 1
	}
	// struct ifreq: the name, and a union that is at least a pointer.
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [24 - unsafe.Sizeof(uintptr(0))]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], ifname)
	req.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
