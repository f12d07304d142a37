package transport

import (
	"encoding/binary"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

func TestStarved(t *testing.T) {
	info := func(rate uint64, unacked uint32) []byte {
		b := make([]byte, tcpInfoNotsent+4)
		binary.NativeEndian.PutUint64(b[tcpInfoPacing:], rate)
		binary.NativeEndian.PutUint32(b[tcpInfoUnacked:], unacked)
		return b
	}
	for _, tt := range []struct {
		info []byte
		want bool
	}{
		{info(536870912000, 0), true}, // as was met: 125 times 2^32
		{info(536870912000, 1), false},
		{info(536870912001, 0), false},
		{info(1<<31, 0), false},
		{info(0, 0), false},
		{info(^uint64(0), 0), false},
		{info(536870912000, 0)[:tcpInfoPacing+7], false},
		{nil, false},
	} {
		if got := starved(tt.info); got != tt.want {
			t.Errorf("%v, want %v: %x", got, tt.want, tt.info)
		}
	}
}

// TestRepace: the pacing rate of a connection changes, its congestion control does
// not, and it goes on.
func TestRepace(t *testing.T) {
	ln, err := Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := (&Dialer{CongestionControl: "reno"}).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	exchange := func() {
		t.Helper()
		for range 10 {
			for _, c := range [][2]net.Conn{{client, server}, {server, client}} {
				if _, err := c[0].Write([]byte{1}); err != nil {
					t.Fatal(err)
				}
				if _, err := c[1].Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	exchange()
	raw, err := client.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := isMultipathSocket(raw), mptcp.Probe() == nil; got != want {
		t.Fatalf("Multipath TCP: %v, want %v", got, want)
	}
	congestion := readCongestion(raw)
	rate := func(fd int) uint64 {
		b := make([]byte, tcpInfoNotsent+4)
		if n, errno := sockopt.TCPInfo(fd, b); errno != 0 || n < len(b) {
			t.Fatalf("%d bytes, %v", n, errno)
		}
		return binary.NativeEndian.Uint64(b[tcpInfoPacing:])
	}
	_, err = sockopt.Control(raw, func(fd int) (struct{}, error) {
		before := rate(fd)
		// Whoever may use BBR on a TCP socket may use it here.
		other, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			return struct{}{}, err
		}
		defer unix.Close(other)
		can := setCongestion(other, "bbr") && !collapses(congestion)
		if did := repace(fd); did != can {
			t.Errorf("%v, want %v", did, can)
		} else if after := rate(fd); did == (after == before) {
			t.Errorf("the pacing rate was %d and is %d", before, after)
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cc := readCongestion(raw); cc != congestion {
		t.Errorf("the congestion control was %s and is %s", congestion, cc)
	}
	exchange()
}
