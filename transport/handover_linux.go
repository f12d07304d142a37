package transport

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

// maxPaths is how many subflows of a connection are looked at: all, where the
// kernel allows eight.
const maxPaths = 8

// A pathSight looks at the subflows of connections, one connection after the
// other, without allocating.
type pathSight struct {
	l    pathsLook
	all  [maxPaths]path
	info [mptcpinfo.SizeLast]byte
	tcp  [sockopt.SubflowDataSize + maxPaths*sockopt.TCPInfoSize]byte
	f    func(fd uintptr)
}

func newPathSight() *pathSight {
	s := new(pathSight)
	s.f = func(fd uintptr) { s.l = s.read(int(fd)) }
	return s
}

func (s *pathSight) look(e *conntable.Entry) pathsLook {
	if e.Gone.Load() || e.Raw.Control(s.f) != nil {
		return pathsLook{gone: true}
	}
	return s.l
}

func (s *pathSight) read(fd int) (l pathsLook) {
	if m, errno := sockopt.Mem(fd); errno == 0 && m.Written == 0 {
		return l
	}
	n, errno := sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, s.info[:])
	i, ok := mptcpinfo.Parse(s.info[:n])
	if errno != 0 || !ok {
		return pathsLook{gone: true}
	}
	l.written, l.una = i.WriteSeq, i.SndUna
	l.outstanding = i.WriteSeq != i.SndUna
	if !l.outstanding || i.Has(mptcpinfo.SizeSubflowsTotal) && i.SubflowsTotal < 2 {
		return l
	}
	rows, _, errno := sockopt.SubflowRows(fd, sockopt.MPTCPTCPInfo, sockopt.TCPInfoSize, s.tcp[:])
	if errno != 0 {
		return pathsLook{gone: true}
	}
	for i := range rows.Rows() {
		s.all[i] = parsePath(rows.Row(i))
	}
	l.paths = s.all[:rows.Rows()]
	return l
}

// parsePath reads the struct tcp_info (linux/tcp.h) of a subflow.
func parsePath(b []byte) (p path) {
	if len(b) < 152 {
		return p
	}
	u32 := func(off int) time.Duration { return time.Duration(binary.NativeEndian.Uint32(b[off:])) }
	p.established = b[0] == unix.BPF_TCP_ESTABLISHED
	p.inFlight = u32(tcpInfoUnacked) > 0
	p.sent, p.acked = u32(tcpInfoLastSent)*time.Millisecond, u32(tcpInfoLastAcked)*time.Millisecond
	p.rtt = u32(148) * time.Microsecond                            // tcpi_min_rtt
	p.patience = (u32(68)+4*u32(72))*time.Microsecond + delayedAck // tcpi_rtt, tcpi_rttvar
	return p
}
