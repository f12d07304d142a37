package mptcp

import (
	"encoding/binary"
	"testing"

	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/recorded"
)

const subflowConnected = 1 << 7 // MPTCP_SUBFLOW_FLAG_CONNECTED

// TestEvidenceReason holds the fingerprint of each class of fallback, as seen
// with a real fault of that class.
func TestEvidenceReason(t *testing.T) {
	const loc, rem, est, con = subflowMCapLoc, subflowMCapRem, subflowFullyEst, subflowConnected
	ulp := func(flags, token, retrans uint32) evidence {
		return evidence{hasULP: true, flags: flags, token: token, retrans: retrans}
	}
	msk := func(e evidence, flags uint32) evidence {
		e.hasMsk, e.msk = true, flags
		return e
	}
	for _, tt := range []struct {
		name string
		e    evidence
		want Reason
	}{
		{"no MP_CAPABLE was sent", ulp(con, 0, 0), ReasonHostSuppressed},
		{"SYNs dropped until the kernel left the option out", msk(ulp(con, 5, 3), 1), ReasonSYNDropped},
		{"SYN/ACK without the option", msk(ulp(loc|con, 5, 0), 1), ReasonNotAnswered},
		{"first data without the option", msk(ulp(loc|con, 5, 0), 3), ReasonFirstData},
		{"first data fails its checksum", msk(ulp(loc|rem|con, 5, 0), 3), ReasonFirstData},
		{"mid-stream, dialed", msk(ulp(loc|rem|est|con, 5, 0), 3), ReasonMidStream},
		{"mid-stream, accepted", msk(ulp(rem|est|con, 5, 0), 3), ReasonMidStream},
		{"no ULP information", evidence{}, ReasonUnknown},
		{"token, no option, no loss", ulp(con, 5, 0), ReasonUnknown},
		{"socket unknown by token", ulp(loc|con, 5, 0), ReasonUnknown},
	} {
		if got := tt.e.reason(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// attr encodes a netlink attribute.
func attr(typ uint16, value []byte) []byte {
	b := make([]byte, 4, 8+len(value))
	binary.NativeEndian.PutUint16(b, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(b[2:], typ)
	b = append(b, value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func diagMessage(inode uint32, attrs ...[]byte) []byte {
	b := make([]byte, diagMsgSize)
	binary.NativeEndian.PutUint32(b[68:], inode)
	for _, a := range attrs {
		b = append(b, a...)
	}
	return b
}

func TestParseDiag(t *testing.T) {
	tcpInfo := make([]byte, 280)
	binary.NativeEndian.PutUint32(tcpInfo[tcpInfoTotalRetrans:], 3)
	nested := attr(ulpMPTCP|1<<15, append(attr(subflowAttrFlags, u32(0x82)), attr(subflowAttrTokenLoc, u32(77))...))
	b := diagMessage(99, attr(diagInfo, tcpInfo), attr(diagULPInfo|1<<15, append(attr(1, []byte("mptcp\x00")), nested...)))
	var e evidence
	if !e.parseTCPDiag(b) || e.inode != 99 || e.retrans != 3 || !e.hasULP || e.flags != 0x82 || e.token != 77 {
		t.Errorf("%+v", e)
	}
	var m evidence
	if !m.parseMPTCPDiag(diagMessage(99, attr(diagInfo, layout()))) || !m.hasMsk || m.msk != 2 {
		t.Errorf("%+v", m)
	}
	if e.parseTCPDiag(b[:diagMsgSize-1]) {
		t.Error("a truncated message was accepted")
	}
}

// TestParseDiagRecorded reads what kernels have said of a connection with two
// subflows, and of one that has fallen back.
func TestParseDiagRecorded(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recordings are those of a little-endian machine")
	}
	kernels := 0
	for kernel, all := range recorded.Each(recorded.DiagTCP) {
		kernels++
		tokens := make(map[uint32]int)
		fallen := 0
		for m := range recorded.Messages(all) {
			var e evidence
			if !e.parseTCPDiag(m[16:]) || e.inode == 0 && e.token == 0 || e.state != uint8(TCPEstablished) {
				t.Errorf("Linux %s: %+v", kernel, e)
				continue
			}
			switch {
			case !e.hasULP: // accepted from the one that fell back
			case e.flags&subflowMCapRem != 0 || e.flags&subflowFullyEst != 0:
				tokens[e.token]++
			default:
				fallen++
			}
		}
		if len(tokens) != 2 || fallen != 1 {
			t.Errorf("Linux %s: subflows by token: %v; %d have fallen back", kernel, tokens, fallen)
		}
	}
	for kernel, all := range recorded.Each(recorded.DiagMPTCP) {
		flags := make(map[uint32]int)
		for m := range recorded.Messages(all) {
			var e evidence
			if !e.parseMPTCPDiag(m[16:]) || !e.hasMsk {
				t.Errorf("Linux %s: %+v", kernel, e)
			}
			flags[e.msk&3]++
		}
		if flags[mptcpinfo.FlagRemoteKeyReceived] != 2 || flags[mptcpinfo.FlagFallback] != 1 {
			t.Errorf("Linux %s: connections by flags: %v", kernel, flags)
		}
	}
	if kernels < 2 {
		t.Errorf("of %d kernels only", kernels)
	}
}

func FuzzParseDiag(f *testing.F) {
	f.Add(diagMessage(1, attr(diagInfo, make([]byte, 280)), attr(diagULPInfo, attr(ulpMPTCP, attr(subflowAttrFlags, u32(2))))))
	for _, name := range []string{recorded.DiagTCP, recorded.DiagMPTCP} {
		for _, all := range recorded.Each(name) {
			for m := range recorded.Messages(all) {
				f.Add(m[16:])
			}
		}
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		var e evidence
		e.parseTCPDiag(b)
		e.parseMPTCPDiag(b)
		_ = e.reason()
	})
}
