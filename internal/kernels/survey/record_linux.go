package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/recorded"
	"github.com/multipath-go/mptcp/internal/sockopt"
	pm "github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// A recording is what the kernel says in its own words, by the names of package
// recorded.
type recording map[string][]byte

// record asks for all of it, for which it changes this network namespace. A
// kernel without Multipath TCP is not asked about that.
func record(multipath bool) (recording, error) {
	r := make(recording)
	if multipath {
		if err := r.connections(); err != nil {
			return nil, fmt.Errorf("recording connections: %w", err)
		}
	}
	if err := r.files(); err != nil {
		return nil, err
	}
	if err := furnish(); err != nil {
		return nil, err
	}
	for name, typ := range map[string]netlink.HeaderType{
		recorded.Links: unix.RTM_GETLINK, recorded.Addresses: unix.RTM_GETADDR,
		recorded.Rules: unix.RTM_GETRULE, recorded.Routes: unix.RTM_GETROUTE,
	} {
		for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
			question := make([]byte, unix.SizeofIfInfomsg) // no header of these is longer
			question[0] = family
			if err := r.dump(name, unix.NETLINK_ROUTE, typ, question); err != nil {
				return nil, err
			}
			if name == recorded.Links {
				break // they are of no family
			}
		}
	}
	return r, nil
}

// connections records one connection with two subflows, and one that has
// fallen back.
func (r recording) connections() error {
	c, err := pm.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	second := pm.Endpoint{Addr: netip.MustParseAddr("127.0.0.9"), Flags: pm.Subflow}
	if err := errors.Join(c.SetLimits(pm.Limits{Subflows: 2, AddAddrAccepted: 2}), c.AddEndpoint(second)); err != nil {
		return err
	}
	defer c.Flush() //nolint:errcheck // the namespace ends with the survey
	p, err := connect(false)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.exchange(); err != nil {
		return err
	}
	if s := joined(p.client); s.err != nil {
		return fmt.Errorf("a second subflow: %w", s.err)
	}
	time.Sleep(100 * time.Millisecond) // for what is on its way

	fallen, err := fallen()
	if err != nil {
		return err
	}
	defer fallen.close()
	if err := fallen.exchange(); err != nil {
		return err
	}
	if err := r.options(p.client); err != nil {
		return err
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		for name, protocol := range map[string]uint32{recorded.DiagTCP: unix.IPPROTO_TCP, recorded.DiagMPTCP: unix.IPPROTO_MPTCP} {
			if err := r.dump(name, unix.NETLINK_SOCK_DIAG, unix.SOCK_DIAG_BY_FAMILY, diagQuestion(family, protocol)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fallen connects to a server that does not know Multipath TCP.
func fallen() (*pair, error) {
	lc := transport.ListenConfig{Mode: transport.Off}
	return connectTo(lc, transport.Prefer)
}

// options records what a connection's options say. Those that this kernel does
// not have are absent.
func (r recording) options(c net.Conn) error {
	_, err := sockopt.Control(raw(c), func(fd int) (struct{}, error) {
		b := make([]byte, 1024)
		if n, errno := sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, b); errno == 0 {
			r[recorded.Info] = b[:n]
		}
		for name, o := range map[string]struct{ opt, size int }{
			recorded.Addrs:    {sockopt.MPTCPSubflowAddrs, sockopt.SubflowAddrsSize},
			recorded.TCPInfos: {sockopt.MPTCPTCPInfo, sockopt.TCPInfoSize},
		} {
			const head = 16 // struct mptcp_subflow_data: its size, and the size of a row at the end
			b := make([]byte, head+2*o.size)
			binary.NativeEndian.PutUint32(b, head)
			binary.NativeEndian.PutUint32(b[12:], uint32(o.size))
			if n, errno := sockopt.Get(fd, sockopt.SolMPTCP, o.opt, b); errno == 0 {
				r[name] = b[:n]
			}
		}
		if subflows, tcp, errno := sockopt.FullInfo(fd); errno == 0 {
			r[recorded.FullAddrs], r[recorded.FullTCP] = subflows.Data, tcp.Data
		}
		return struct{}{}, nil
	})
	return err
}

// diagQuestion is a struct inet_diag_req_v2 for all connections, with
// INET_DIAG_REQ_PROTOCOL.
func diagQuestion(family byte, protocol uint32) []byte {
	const size, reqProtocol, info = 56, 3, 2
	b := make([]byte, size+8)
	b[0], b[1], b[2] = family, byte(protocol), 1<<(info-1)
	binary.NativeEndian.PutUint32(b[4:], 1<<unix.BPF_TCP_ESTABLISHED)
	binary.NativeEndian.PutUint16(b[size:], 8)
	binary.NativeEndian.PutUint16(b[size+2:], reqProtocol)
	binary.NativeEndian.PutUint32(b[size+4:], protocol)
	return b
}

// dump adds the answers to a question of netlink's.
func (r recording) dump(name string, protocol int, typ netlink.HeaderType, question []byte) error {
	c, err := netlink.Dial(protocol, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	answers, err := c.Execute(netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump}, Data: question})
	if err != nil {
		return fmt.Errorf("recording %s: %w", name, err)
	}
	for _, m := range answers {
		b, err := m.MarshalBinary()
		if err != nil {
			return err
		}
		r[name] = append(r[name], b...)
	}
	return nil
}

// files records what is read in /proc.
func (r recording) files() error {
	for name, file := range map[string]string{recorded.NetStat: "/proc/thread-self/net/netstat", recorded.NetLink: "/proc/thread-self/net/netlink"} {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		r[name] = b
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	link, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
	r[recorded.SocketLink] = []byte(link)
	return err
}

// furnish gives this namespace an interface, and rules and routes of the kinds
// that are read.
func furnish() error {
	for _, line := range []string{
		"link add wan0 type veth peer name peer0",
		"link set peer0 up",
		"link set wan0 up",
		"address add 10.9.0.1/24 dev wan0",
		"address add fd00:9::1/64 dev wan0 nodad",
		"route add default via 10.9.0.2 metric 5",
		"-6 route add default via fd00:9::2",
		"route add 10.8.0.0/24 nexthop via 10.9.0.2 weight 1 nexthop via 10.9.0.3 weight 2",
		"route add default via 10.9.0.2 dev wan0 onlink table 7103 protocol 130",
		"route add blackhole default table 7100 protocol 130",
		"rule add from 10.9.0.1 table 7103 priority 7100 protocol 130 suppress_prefixlength 0",
		"-6 rule add not fwmark 5 iif lo lookup 7103 priority 7200",
	} {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}
