package mptcptest

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// LinkConfig describes a [Link]. The zero value is a wire with an MTU of 1500
// that neither delays nor limits.
type LinkConfig struct {
	Name string // of the interface at both ends, at most 15 bytes; empty: "link1", "link2", …
	MTU  int    // zero: 1500; at least 1280, because every link has IPv6

	// Kernel makes a link without this package's forwarder: as fast as the
	// machine, without delay, loss or faults. Of the Shape only Rate counts,
	// and is enforced by the kernel's token bucket filter.
	Kernel bool

	// What the link does to packets, in each direction; see Shape.
	Rate   Rate
	Delay  time.Duration
	Jitter time.Duration
	Loss   float64
	Queue  int

	// The directions, where they differ: from the host named first, and to it.
	// Nil: as above.
	Up, Down *Shape

	Seed uint64 // of what is random; zero: always the same
}

// Link is a cable between two hosts, with an interface at each.
type Link struct {
	net    *Network
	name   string
	number int
	kernel bool
	mtu    int
	a, b   *Host
	ends   [2]*end
	dirs   [2]*Direction
	stop   func() error // of the forwarder
	told   uint64       // bytes that the timeline has told of
}

// end is where a link meets a host.
type end struct {
	link    *Link
	host    *Host
	peer    *end
	index   int // of the interface
	mac     net.HardwareAddr
	v4, v6  netip.Prefix
	removed bool // the addresses are
	down    bool // the interface is
}

// minMTU is that of RFC 8200, section 5. Linux refuses an IPv6 address on less.
const minMTU = 1280

// Link connects two hosts, which may be routers, and gives them addresses. It
// can be called while others carry traffic. Name the host that has several
// links to the other first: see the package comment on addresses.
func (n *Network) Link(a, b *Host, c LinkConfig) *Link {
	n.t.Helper()
	n.mu.Lock()
	number := len(n.links) + 1
	n.mu.Unlock()
	l := &Link{net: n, name: c.Name, number: number, kernel: c.Kernel, mtu: c.MTU, a: a, b: b}
	if l.name == "" {
		l.name = "link" + strconv.Itoa(number)
	}
	if l.mtu == 0 {
		l.mtu = 1500
	}
	if number > 255 || a == b {
		n.t.Fatalf("mptcptest: link %s: at most 255 links, between different hosts", l.name)
	}
	if l.mtu < minMTU {
		n.t.Fatalf("mptcptest: link %s: an MTU of %d is too small for IPv6, which needs %d", l.name, l.mtu, minMTU)
	}
	l.ends = [2]*end{newEnd(l, a, 1), newEnd(l, b, 2)}
	l.ends[0].peer, l.ends[1].peer = l.ends[1], l.ends[0]
	both := Shape{Rate: c.Rate, Delay: c.Delay, Jitter: c.Jitter, Loss: c.Loss, Queue: c.Queue}
	l.dirs = [2]*Direction{newDirection(l, 0, both, c.Up), newDirection(l, 1, both, c.Down)}
	if err := l.open(c.Seed); err != nil {
		n.t.Fatalf("mptcptest: link %s: %v", l.name, err)
	}
	n.mu.Lock()
	n.links = append(n.links, l)
	n.mu.Unlock()
	a.ends = append(a.ends, l.ends[0])
	b.ends = append(b.ends, l.ends[1])
	if err := n.configure(); err != nil {
		n.t.Fatalf("mptcptest: link %s: %v", l.name, err)
	}
	n.built("link %s: %s %s - %s %s, %s", l.name, a, l.ends[0].addrs(), l.ends[1].addrs(), b, l.describe())
	return l
}

func newEnd(l *Link, h *Host, n int) *end {
	hex, _ := strconv.ParseUint(strconv.Itoa(l.number), 16, 16) // 10 is written 10
	return &end{
		link: l, host: h,
		v4: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(l.number), 0, byte(n)}), 24),
		v6: netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 2: byte(hex >> 8), 3: byte(hex), 15: byte(n)}), 64),
	}
}

// Name is the name of the link and of its interfaces.
func (l *Link) Name() string { return l.name }

// Addr is the IPv4 address of a host on the link.
func (l *Link) Addr(h *Host) netip.Addr { return l.end(h).v4.Addr() }

// Addr6 is the IPv6 address of a host on the link.
func (l *Link) Addr6(h *Host) netip.Addr { return l.end(h).v6.Addr() }

// From is the direction of the link that begins at a host.
func (l *Link) From(h *Host) *Direction {
	if l.end(h) == l.ends[0] {
		return l.dirs[0]
	}
	return l.dirs[1]
}

func (l *Link) end(h *Host) *end {
	for _, e := range l.ends {
		if e.host == h {
			return e
		}
	}
	panic(fmt.Sprintf("mptcptest: host %s is not on link %s", h, l.name))
}

func (e *end) addrs() string { return fmt.Sprintf("%v %v", e.v4.Addr(), e.v6.Addr()) }

// describe says what the link does to packets.
func (l *Link) describe() string {
	up, down := l.dirs[0].currentShape(), l.dirs[1].currentShape()
	s := up.String()
	if up != down {
		s = fmt.Sprintf("up %v, down %v", up, down)
	}
	if l.kernel {
		s += ", kernel"
	}
	if l.mtu != 1500 {
		s += ", MTU " + strconv.Itoa(l.mtu)
	}
	return s
}

// String lists what the shape does.
func (s Shape) String() string {
	b := []string{s.Rate.String()}
	if s.Delay > 0 {
		b = append(b, s.Delay.String())
	}
	if s.Jitter > 0 {
		b = append(b, "jitter "+s.Jitter.String())
	}
	if s.Loss > 0 {
		b = append(b, fmt.Sprintf("%.4g%% loss", 100*s.Loss))
	}
	return strings.Join(b, " ")
}
