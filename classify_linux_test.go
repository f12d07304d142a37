package mptcp

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/recorded"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

// TestClassify replays what kernels answer, newest questions last, including
// kernels that do not have them.
func TestClassify(t *testing.T) {
	const mptcp, tcp = unix.IPPROTO_MPTCP, unix.IPPROTO_TCP
	live := mptcpinfo.Info{Size: 96, Flags: mptcpinfo.FlagRemoteKeyReceived, SubflowsTotal: 1}
	for _, tt := range []struct {
		name    string
		o       observation
		hasInfo bool
		want    State
		fails   bool
	}{
		{"6.10 multipath", observation{info: live}, true, Multipath, false},
		{"6.10 fallback IPv4", observation{infoErr: unix.EOPNOTSUPP, protocol: mptcp}, true, Fallback, false},
		{"6.10 fallback IPv6", observation{infoErr: unix.ENOPROTOOPT, protocol: mptcp}, true, Fallback, false},
		{"6.10 TCP", observation{infoErr: unix.EOPNOTSUPP, protocol: tcp}, true, TCP, false},
		{"6.10 TCP IPv6", observation{infoErr: unix.ENOPROTOOPT, protocol: tcp}, true, TCP, false},
		{"5.16 fallback", observation{infoErr: unix.EOPNOTSUPP, protocol: mptcp, isErr: unix.EOPNOTSUPP}, true, Fallback, false},
		{"5.16 multipath", observation{info: mptcpinfo.Info{Size: 48, Flags: 2}}, true, Multipath, false},
		{"5.10 cannot tell", observation{infoErr: unix.EOPNOTSUPP, protocol: mptcp, isErr: unix.EOPNOTSUPP}, false, Unknown, false},
		{"5.10 TCP", observation{infoErr: unix.EOPNOTSUPP, protocol: tcp}, false, TCP, false},
		{"contradiction", observation{infoErr: unix.EOPNOTSUPP, protocol: mptcp, is: 1}, true, Unknown, false},
		{"not a TCP socket", observation{infoErr: unix.EOPNOTSUPP, protocol: unix.IPPROTO_UDP}, true, Unknown, true},
		{"denied", observation{infoErr: unix.EPERM}, true, Unknown, true},
		{"bad descriptor", observation{infoErr: unix.EBADF}, true, Unknown, true},
		{"SO_PROTOCOL denied", observation{infoErr: unix.EOPNOTSUPP, protoErr: unix.EPERM}, true, Unknown, true},
	} {
		s, err := tt.o.classify(func() bool { return tt.hasInfo })
		if s.State != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s: %v, %v: want %v", tt.name, s, err, tt.want)
		}
	}
	if _, err := (observation{infoErr: unix.EPERM}).classify(kernelHasInfo); !errors.Is(err, unix.EPERM) {
		t.Errorf("error loses its errno: %v", err)
	}
	if !kernelHasInfo() || infoSupport.Load() != 1 {
		t.Error("this kernel answers MPTCP_INFO, and the feature test says that it does not")
	}
}

// TestSubflowReaders asks one socket in each way that kernels have had.
func TestSubflowReaders(t *testing.T) {
	client, _ := pair(t, true)
	raw, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for name, read := range map[string]func(int) ([]Subflow, error){
			"MPTCP_FULL_INFO": readSubflows, "MPTCP_SUBFLOW_ADDRS": readSubflowArrays, "TCP_INFO": readPlain,
		} {
			list, err := read(int(fd))
			if err != nil || len(list) != 1 {
				t.Errorf("%s: %v, %v", name, list, err)
				continue
			}
			s := list[0]
			if s.Local.String() != client.LocalAddr().String() || s.Remote.String() != client.RemoteAddr().String() ||
				s.State != TCPEstablished || s.RTT <= 0 || s.CongestionWindow == 0 || s.MSS == 0 || s.BytesAcked == 0 {
				t.Errorf("%s: %+v", name, s)
			}
			if id := s.ID; name == "MPTCP_FULL_INFO" && id != 1 {
				t.Errorf("first subflow has id %d", id)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSubflowsRecorded reads what kernels have said of two subflows, in the way
// of Linux 5.16 and in that of 6.5.
func TestSubflowsRecorded(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recordings are those of a little-endian machine")
	}
	second := netip.MustParseAddr("127.0.0.9")
	check := func(kernel string, list [2]Subflow, ids bool) {
		t.Helper()
		for i, s := range list {
			if s.State != TCPEstablished || s.RTT <= 0 || s.CongestionWindow == 0 || s.MSS == 0 || !s.Local.IsValid() ||
				s.Remote.Addr() != netip.MustParseAddr("127.0.0.1") || (s.Local.Addr() == second) != (i == 1) || ids && s.ID == 0 {
				t.Errorf("Linux %s, subflow %d: %+v", kernel, i, s)
			}
		}
		if list[0].BytesSent+list[1].BytesSent < recorded.Sent || list[0].BytesReceived+list[1].BytesReceived < recorded.Received {
			t.Errorf("Linux %s: %+v", kernel, list)
		}
	}
	n := 0
	tcp := maps.Collect(recorded.Each(recorded.TCPInfos))
	for kernel, addrs := range recorded.Each(recorded.Addrs) {
		n++
		var list [2]Subflow
		size := int(binary.NativeEndian.Uint32(tcp[kernel][12:])) // of a row
		for i := range list {
			list[i].parseSubflowAddrs(addrs[16+i*sockopt.SubflowAddrsSize:])
			list[i].parseTCPInfo(tcp[kernel][16+i*size:][:size])
		}
		check(kernel, list, false)
	}
	tcp = maps.Collect(recorded.Each(recorded.FullTCP))
	for kernel, addrs := range recorded.Each(recorded.FullAddrs) {
		n++
		var list [2]Subflow
		for i := range list {
			list[i].parseSubflowInfo(addrs[i*len(addrs)/2:])
			list[i].parseTCPInfo(tcp[kernel][i*len(tcp[kernel])/2:])
		}
		check(kernel, list, true)
	}
	if n < 3 {
		t.Errorf("%d recordings only", n)
	}
}

func FuzzParseSubflow(f *testing.F) {
	f.Add(make([]byte, 264), make([]byte, 280))
	addrs := make(map[string][]byte)
	for kernel, b := range recorded.Each(recorded.FullAddrs) {
		addrs[kernel] = b[:sockopt.SubflowInfoSize]
	}
	for kernel, b := range recorded.Each(recorded.FullTCP) {
		f.Add(addrs[kernel], b[len(b)/2:])
	}
	for _, b := range recorded.Each(recorded.TCPInfos) {
		f.Add([]byte{}, b[16:])
	}
	f.Fuzz(func(_ *testing.T, addrs, tcp []byte) {
		var s Subflow
		s.parseSubflowInfo(addrs)
		s.parseTCPInfo(tcp)
		_ = s.State.String()
	})
}

func FuzzDiagPayload(f *testing.F) {
	f.Add(append(make([]byte, 16), make([]byte, 72)...))
	for _, name := range []string{recorded.DiagTCP, recorded.DiagMPTCP} {
		for _, all := range recorded.Each(name) {
			for m := range recorded.Messages(all) {
				f.Add(m)
			}
		}
	}
	f.Fuzz(func(_ *testing.T, b []byte) { diagPayload(b) })
}
