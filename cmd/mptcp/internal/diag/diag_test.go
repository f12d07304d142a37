package diag

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/recorded"
)

// message is an inet_diag_msg with attributes.
func message(family, state byte, local, remote netip.AddrPort, inode uint32, attrs ...[]byte) []byte {
	b := make([]byte, msgSize)
	b[0], b[1] = family, state
	binary.BigEndian.PutUint16(b[4:], local.Port())
	binary.BigEndian.PutUint16(b[6:], remote.Port())
	copy(b[8:], local.Addr().AsSlice())
	copy(b[24:], remote.Addr().AsSlice())
	binary.NativeEndian.PutUint32(b[64:], 1000)
	binary.NativeEndian.PutUint32(b[68:], inode)
	for _, a := range attrs {
		b = append(b, a...)
	}
	return b
}

func attr(typ uint16, v []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(v)))
	b = append(binary.NativeEndian.AppendUint16(b, typ), v...)
	return append(b, make([]byte, -len(b)&3)...)
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func TestParse(t *testing.T) {
	local, remote := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:4000")
	tcp := make([]byte, 200)
	binary.NativeEndian.PutUint32(tcp[68:], 2500)
	binary.NativeEndian.PutUint32(tcp[80:], 10)
	binary.NativeEndian.PutUint64(tcp[120:], 77)
	ulp := attr(attrULPInfo, attr(ulpMPTCP, append(append(attr(subflowTokenLoc, u32(9)), attr(subflowFlags, u32(flagBackupLoc))...), attr(subflowIDLoc, []byte{3})...)))
	s, ok := parseSubflow(message(familyIPv4, 1, local, remote, 5, attr(attrInfo, tcp), ulp))
	want := Subflow{State: 1, Local: local, Remote: remote, Inode: 5, Token: 9, LocalID: 3, Backup: true,
		RTT: 2500 * time.Microsecond, CongestionWindow: 10, BytesAcked: 77}
	if !ok || s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if _, ok := parseSubflow(message(familyIPv4, 1, local, remote, 5, attr(attrInfo, tcp))); ok {
		t.Error("a TCP connection is taken for a subflow")
	}
	info := make([]byte, 96)
	binary.NativeEndian.PutUint32(info[8:], 1)
	binary.NativeEndian.PutUint32(info[12:], 9)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), 80)
	c, ok := parseConnection(message(familyIPv6, 1, mapped, remote, 5, attr(attrInfo, info)))
	if !ok || c.Local != local || !c.Fallback || c.Info.Token != 9 || c.UID != 1000 || c.Listening() {
		t.Errorf("%+v", c)
	}
	any6 := netip.MustParseAddrPort("[::]:443")
	if c, ok := parseConnection(message(familyIPv6, stateListen, any6, any6, 6)); !ok || !c.Listening() || c.Local != any6 {
		t.Errorf("%+v", c)
	}
	if _, ok := parseConnection(message(1, 1, local, remote, 5)); ok {
		t.Error("a family that there is not")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message(familyIPv4, 1, netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:4000"), 5,
		attr(attrULPInfo, attr(ulpMPTCP, attr(subflowTokenLoc, u32(9))))))
	for _, name := range []string{recorded.DiagTCP, recorded.DiagMPTCP} {
		for _, all := range recorded.Each(name) {
			for m := range recorded.Messages(all) {
				f.Add(m[16:])
			}
		}
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		parseConnection(b)
		parseSubflow(b)
	})
}
