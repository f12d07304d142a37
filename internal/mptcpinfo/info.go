// Package mptcpinfo decodes struct mptcp_info (linux/mptcp.h), which grew with
// the kernels.
package mptcpinfo

import "encoding/binary"

// The sizes at which struct mptcp_info (linux/mptcp.h) grew, computed from the
// layout with its padding. A field is there if the kernel returned at least
// the size at which the field arrived. The field's own offset would not do:
// offset 44 (retransmits) and 84 (last_data_sent) lie in the padding of the
// previous size, so that an older kernel returns zeros there.
const (
	SizeBase          = 48 // Linux 5.16, when getsockopt(MPTCP_INFO) came
	SizeBytes         = 80 // 6.5: retransmits, bytes_*
	SizeSubflowsTotal = 88 // 6.8: subflows_total
	SizeLast          = 96 // 6.10: last_data_sent, last_data_recv, last_ack_recv
)

// Bits of mptcp_info.flags. Fallback is seen only through inet_diag:
// getsockopt fails on a connection that has fallen back.
const (
	FlagFallback          = 1 << 0 // MPTCP_INFO_FLAG_FALLBACK
	FlagRemoteKeyReceived = 1 << 1 // MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED
)

// Info is struct mptcp_info as far as this module uses it. The fields from
// Retransmits on are zero unless Has says that the kernel filled them.
type Info struct {
	Size          uint8 // as returned, at most SizeLast
	ExtraSubflows uint8
	Announced     uint8 // addresses that were announced to the peer
	Accepted      uint8 // addresses that the peer has announced and that are connected to
	SubflowsMax   uint8 // limit of extra subflows; 0 under a userspace path manager
	Checksum      bool
	SubflowsTotal uint8
	LocalMax      uint8 // endpoints that subflows are opened from
	Flags         uint32
	Token         uint32
	WriteSeq      uint64 // of the next byte that the application will write
	SndUna        uint64 // of the first byte that is not acknowledged
	Retransmits   uint32
	BytesRetrans  uint64
	BytesSent     uint64
	BytesReceived uint64
	BytesAcked    uint64
	LastDataSent  uint32 // milliseconds, as are the next two
	LastDataRecv  uint32
	LastAckRecv   uint32
}

// Has reports whether the kernel returned at least size bytes.
func (i *Info) Has(size uint8) bool { return i.Size >= size }

// Parse decodes what the kernel returned for MPTCP_INFO. ok is false if it is
// shorter than the shortest struct that any kernel returns.
func Parse(b []byte) (i Info, ok bool) {
	if len(b) < SizeBase {
		return Info{}, false
	}
	ne := binary.NativeEndian
	i.Size = uint8(min(len(b), SizeLast))
	i.ExtraSubflows = b[0]
	i.Announced = b[1]
	i.Accepted = b[2]
	i.SubflowsMax = b[3]
	i.LocalMax = b[41]
	i.Flags = ne.Uint32(b[8:])
	i.Token = ne.Uint32(b[12:])
	i.WriteSeq = ne.Uint64(b[16:])
	i.SndUna = ne.Uint64(b[24:])
	i.Checksum = b[42] != 0
	if i.Has(SizeBytes) {
		i.Retransmits = ne.Uint32(b[44:])
		i.BytesRetrans = ne.Uint64(b[48:])
		i.BytesSent = ne.Uint64(b[56:])
		i.BytesReceived = ne.Uint64(b[64:])
		i.BytesAcked = ne.Uint64(b[72:])
	}
	if i.Has(SizeSubflowsTotal) {
		i.SubflowsTotal = b[80]
	}
	if i.Has(SizeLast) {
		i.LastDataSent = ne.Uint32(b[84:])
		i.LastDataRecv = ne.Uint32(b[88:])
		i.LastAckRecv = ne.Uint32(b[92:])
	}
	return i, true
}
