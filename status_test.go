package mptcp

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/recorded"
)

// laidOut is what layout lays out, as the newest kernel tells it.
var laidOut = mptcpinfo.Info{
	Size: 96, ExtraSubflows: 1, Announced: 4, Accepted: 5, SubflowsMax: 6, LocalMax: 2, Checksum: true, Flags: mptcpinfo.FlagRemoteKeyReceived,
	Token: 0x9a3f11c2, WriteSeq: 0x1122334455667788, SndUna: 0x1122334455667700,
	Retransmits: 3, BytesRetrans: 300, BytesSent: 1000, BytesReceived: 2000, BytesAcked: 900,
	SubflowsTotal: 2, LastDataSent: 11, LastDataRecv: 22, LastAckRecv: 33,
}

// layout is a struct mptcp_info with a value of its own in each field. It is
// made by hand: what kernels have said is in package recorded.
func layout() []byte {
	b, ne := make([]byte, 96), binary.NativeEndian
	b[0], b[1], b[2], b[3] = laidOut.ExtraSubflows, laidOut.Announced, laidOut.Accepted, laidOut.SubflowsMax
	b[41], b[42], b[80] = laidOut.LocalMax, 1, laidOut.SubflowsTotal
	for at, v := range map[int]uint32{
		8: laidOut.Flags, 12: laidOut.Token, 44: laidOut.Retransmits,
		84: laidOut.LastDataSent, 88: laidOut.LastDataRecv, 92: laidOut.LastAckRecv,
	} {
		ne.PutUint32(b[at:], v)
	}
	for at, v := range map[int]uint64{
		16: laidOut.WriteSeq, 24: laidOut.SndUna, 48: laidOut.BytesRetrans, 56: laidOut.BytesSent,
		64: laidOut.BytesReceived, 72: laidOut.BytesAcked,
	} {
		ne.PutUint64(b[at:], v)
	}
	return b
}

// TestStatusOfInfo: each method of a status tells its own field.
func TestStatusOfInfo(t *testing.T) {
	i, ok := mptcpinfo.Parse(layout())
	if !ok || i != laidOut {
		t.Fatalf("%+v, want %+v", i, laidOut)
	}
	s := infoStatus(i)
	if s.State != Multipath || s.Token != 0x9a3f11c2 || !s.Checksum || !s.Confirmed {
		t.Errorf("%v, token %#x, checksum %v", s, s.Token, s.Checksum)
	}
	if sent, received, ok := s.Bytes(); !ok || sent != 1000 || received != 2000 {
		t.Errorf("Bytes = %d, %d, %v", sent, received, ok)
	}
	if acked, ok := s.Acked(); !ok || acked != 900 {
		t.Errorf("Acked = %d, %v", acked, ok)
	}
	if timeouts, n, ok := s.Retransmits(); !ok || timeouts != 3 || n != 300 {
		t.Errorf("Retransmits = %d, %d, %v", timeouts, n, ok)
	}
	if n, ok := s.Subflows(); !ok || n != 2 {
		t.Errorf("Subflows = %d, %v", n, ok)
	}
	if sent, received, acked, ok := s.Idle(); !ok || sent != 11*time.Millisecond || received != 22*time.Millisecond || acked != 33*time.Millisecond {
		t.Errorf("Idle = %v, %v, %v, %v", sent, received, acked, ok)
	}
}

// TestParseInfoRecorded reads what kernels have said of a connection of which
// all that can be told is known.
func TestParseInfoRecorded(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recordings are those of a little-endian machine")
	}
	sizes := make(map[uint8]bool)
	for kernel, b := range recorded.Each(recorded.Info) {
		t.Run(kernel, func(t *testing.T) {
			i, ok := mptcpinfo.Parse(b)
			if !ok {
				t.Fatal("too short")
			}
			sizes[i.Size] = true
			s := infoStatus(i)
			if s.State != Multipath || s.Token == 0 || s.Checksum || !s.Confirmed {
				t.Errorf("%v, token %#x, checksum %v, confirmed %v", s, s.Token, s.Checksum, s.Confirmed)
			}
			told := i.Size >= mptcpinfo.SizeBytes
			if sent, received, ok := s.Bytes(); ok != told || ok && (sent != recorded.Sent || received != recorded.Received) || !ok && sent+received != 0 {
				t.Errorf("Bytes = %d, %d, %v", sent, received, ok)
			}
			if acked, ok := s.Acked(); ok != told || ok && acked != recorded.Sent {
				t.Errorf("Acked = %d, %v", acked, ok)
			}
			if timeouts, n, ok := s.Retransmits(); ok != told || timeouts != 0 || n != 0 {
				t.Errorf("Retransmits = %d, %d, %v", timeouts, n, ok)
			}
			if n, ok := s.Subflows(); ok != (i.Size >= mptcpinfo.SizeSubflowsTotal) || ok && n != 2 {
				t.Errorf("Subflows = %d, %v", n, ok)
			}
			// It was silent for 100 ms at least, and the request came before the answer.
			sent, received, acked, ok := s.Idle()
			if ok != (i.Size >= mptcpinfo.SizeLast) || ok && (received < 100*time.Millisecond || sent < received || sent > time.Minute || acked > sent) {
				t.Errorf("Idle = %v, %v, %v, %v", sent, received, acked, ok)
			}
		})
	}
	if len(sizes) < 2 {
		t.Errorf("the kernels' structs are of %v bytes only", sizes)
	}
}

// TestInfoPadding: each kernel returns a prefix of what a later one does, and
// what is behind it is padding.
func TestInfoPadding(t *testing.T) {
	full := layout()
	for _, size := range []int{48, 79, 80, 87, 88, 95, 96} {
		i, ok := mptcpinfo.Parse(full[:size])
		if !ok {
			t.Fatalf("%d bytes are too short", size)
		}
		want := laidOut
		want.Size = uint8(size)
		if size < mptcpinfo.SizeBytes {
			want.Retransmits, want.BytesRetrans, want.BytesSent, want.BytesReceived, want.BytesAcked = 0, 0, 0, 0, 0
		}
		if size < mptcpinfo.SizeSubflowsTotal {
			want.SubflowsTotal = 0
		}
		if size < mptcpinfo.SizeLast {
			want.LastDataSent, want.LastDataRecv, want.LastAckRecv = 0, 0, 0
		}
		if i != want {
			t.Errorf("%d bytes: %+v, want %+v", size, i, want)
		}
	}
	if _, ok := mptcpinfo.Parse(full[:47]); ok {
		t.Error("47 bytes are enough")
	}
	// A later kernel returns more; what is known stays as it is.
	if i, ok := mptcpinfo.Parse(append(full, 1, 2, 3, 4, 5, 6, 7, 8)); !ok || i.Size != 96 || i.LastAckRecv != 33 {
		t.Errorf("longer struct: %+v, %v", i, ok)
	}
}

func TestInfoStatus(t *testing.T) {
	base := mptcpinfo.Info{Size: 96, Flags: mptcpinfo.FlagRemoteKeyReceived, Token: 7, SubflowsTotal: 1}
	with := func(f func(*mptcpinfo.Info)) mptcpinfo.Info { i := base; f(&i); return i }
	for _, tt := range []struct {
		name      string
		info      mptcpinfo.Info
		state     State
		reason    Reason
		confirmed bool
	}{
		{"negotiated", base, Multipath, 0, false},
		{"acknowledged", with(func(i *mptcpinfo.Info) { i.BytesAcked = 1 }), Multipath, 0, true},
		{"received", with(func(i *mptcpinfo.Info) { i.BytesReceived = 1 }), Multipath, 0, true},
		{"joined", with(func(i *mptcpinfo.Info) { i.SubflowsTotal = 2 }), Multipath, 0, true},
		{"limbo", with(func(i *mptcpinfo.Info) { i.SubflowsTotal = 0 }), Unknown, ReasonNoSubflow, false},
		{"limbo after data", with(func(i *mptcpinfo.Info) { i.SubflowsTotal, i.BytesAcked = 0, 9 }), Unknown, ReasonNoSubflow, false},
		{"connecting", with(func(i *mptcpinfo.Info) { i.Flags = 0 }), Unknown, 0, false},
		{"kernel without subflows_total", mptcpinfo.Info{Size: 80, Flags: 2}, Multipath, 0, false},
	} {
		if s := infoStatus(tt.info); s.State != tt.state || s.Reason != tt.reason || s.Confirmed != tt.confirmed {
			t.Errorf("%s: %v confirmed %v, want %v %v %v", tt.name, s, s.Confirmed, tt.state, tt.reason, tt.confirmed)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add(layout())
	for _, b := range recorded.Each(recorded.Info) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, ok := mptcpinfo.Parse(b)
		if ok != (len(b) >= mptcpinfo.SizeBase) {
			t.Fatalf("%d bytes: ok = %v", len(b), ok)
		}
		s := infoStatus(i)
		if unpackLast(packLast(s)).String() != s.String() {
			t.Fatalf("%v does not survive packing", s)
		}
		_ = s.Explain()
	})
}

func TestTCPStateText(t *testing.T) {
	for s := TCPEstablished; s < 13; s++ {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back TCPState
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%q is read as %v, %v", text, back, err)
		}
	}
	var unknown TCPState
	if err := unknown.UnmarshalText([]byte("dreaming")); err != nil || unknown != 0 {
		t.Errorf("%v, %v", unknown, err)
	}
}
