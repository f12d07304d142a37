package hostile

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestHalfOpenConnections: requests for connections that nobody means, several
// times as many as a listener keeps, and more all the time, keep nobody from
// being served.
func TestHalfOpenConnections(t *testing.T) {
	const requests, low = 12_000, 2_000 // ports from low on are forged, and below those that connections have
	lab := mptcptest.New(t)
	h := hosts(lab, "client", "server")
	client, server := h[0], h[1]
	link := lab.Link(client, server, mptcptest.LinkConfig{Name: "link"})
	client.Sysctl("net.ipv4.ip_local_port_range", "20000 60000")
	v := serve(t, server, client.Dialer(), link.Addr(server))
	v.serves()
	before := v.settled()
	// The client's kernel would refuse the answers, and so end what is half open.
	link.From(server).Inject(mptcptest.DropIf("answers to forged requests", func(p *mptcptest.Packet) bool {
		port := p.Destination().Port()
		return p.TCP() && port >= low && port < low+requests
	}))
	asked := server.Counters()["MPCapableSYNRX"]
	ports := []netip.AddrPort{v.grpc, v.http, v.https}
	client.Do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		for i := range requests {
			from := netip.AddrPortFrom(link.Addr(client), uint16(low+i))
			for _, to := range ports {
				err := unix.Sendto(fd, request(from, to), 0, &unix.SockaddrInet4{Addr: to.Addr().As4()})
				if err != nil && err != unix.ENOBUFS {
					t.Fatal(err)
				}
			}
			if i%(requests/4) == requests/8 {
				v.serves()
			}
		}
	})
	v.serves()
	asked = server.Counters()["MPCapableSYNRX"] - asked
	if asked < requests*uint64(len(ports))/2 {
		t.Errorf("%d requests have come, of %d", asked, requests*len(ports))
	}

	// They are still there, for a minute: who comes now has Multipath TCP.
	d := &transport.Dialer{NetDialer: client.Dialer(), Memory: new(transport.Memory)}
	c, err := d.DialContext(t.Context(), "tcp", v.http.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := newH2().send(c); err != nil {
		t.Fatal(err)
	}
	ping(t, c)
	if s, err := mptcp.Inspect(c); err != nil || s.State != mptcp.Multipath {
		t.Errorf("%v, %v", s, err)
	}
	t.Logf("%d requests", asked)
	c.Close()
	v.returns(before)
}

// request is a packet that asks for a Multipath TCP connection.
func request(from, to netip.AddrPort) []byte {
	const ip, tcp, options = 20, 20, 8
	b := make([]byte, ip+tcp+options)
	b[0], b[8], b[9] = 4<<4|ip/4, 64, unix.IPPROTO_TCP // the kernel fills in the rest
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(b[12:], src[:])
	copy(b[16:], dst[:])
	t := b[ip:]
	binary.BigEndian.PutUint16(t, from.Port())
	binary.BigEndian.PutUint16(t[2:], to.Port())
	binary.BigEndian.PutUint32(t[4:], uint32(from.Port())<<16)
	t[12], t[13] = (tcp+options)/4<<4, 2 // SYN
	binary.BigEndian.PutUint16(t[14:], 65535)
	copy(t[tcp:], []byte{2, 4, 1460 >> 8, 1460 & 255}) // MSS
	copy(t[tcp+4:], []byte{30, 4, 0<<4 | 1, 1})        // MP_CAPABLE, version 1, HMAC-SHA256
	sum := uint32(unix.IPPROTO_TCP + len(t))
	for _, words := range [][]byte{src[:], dst[:], t} {
		for i := 0; i < len(words); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(words[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(t[16:], ^uint16(sum))
	return b
}
