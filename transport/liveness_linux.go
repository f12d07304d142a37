package transport

import (
	"encoding/binary"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/conntable"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
	"github.com/multipath-go/mptcp/internal/sockopt"
)

// A sight looks at sockets for the watchdog, one after the other, without
// allocating.
type sight struct {
	crowd int // how many are looked after
	l     look
	plain bool
	had   uint64 // bytes that had been received at the last look
	seen  uint64 // what had been acknowledged then
	info  [mptcpinfo.SizeLast]byte
	tcp   [tcpInfoNotsent + 4]byte
	f     func(fd uintptr)
}

func newSight() *sight {
	s := new(sight)
	s.f = func(fd uintptr) { s.l = s.read(int(fd)) }
	return s
}

// Offsets in struct tcp_info, linux/tcp.h.
const (
	tcpInfoUnacked   = 24
	tcpInfoLastSent  = 44
	tcpInfoLastAcked = 56
	tcpInfoPacing    = 104
	tcpInfoAcked     = 120
	tcpInfoNotsent   = 144 // Linux 4.6, older than Multipath TCP

	tcpClose = 7 // the state, TCP_CLOSE
)

// look looks at the socket of w, and helps it along where the kernel does not.
func (s *sight) look(w *watch) look {
	s.plain, s.had, s.seen = w.plain, w.received, w.seen
	if w.e.Gone.Load() || w.e.Raw.Control(s.f) != nil {
		return look{gone: true}
	}
	return s.l
}

func (s *sight) read(fd int) (l look) {
	if s.plain {
		return s.readTCP(fd)
	}
	unclog(fd)
	n, errno := sockopt.Get(fd, sockopt.SolMPTCP, sockopt.MPTCPInfo, s.info[:])
	i, ok := mptcpinfo.Parse(s.info[:n])
	switch {
	case errno != 0:
		// Fallen back; or a kernel without MPTCP_INFO, where nothing can be seen.
		l.fellBack = true
		return l
	case !ok:
		l.gone = true
		return l
	}
	l.outstanding = i.WriteSeq != i.SndUna
	l.una = i.SndUna
	l.joined = i.SubflowsTotal > 1 || i.ExtraSubflows > 0 || i.Announced > 0 || i.Accepted > 0
	l.subflowsMax, l.endpoints = i.SubflowsMax, i.LocalMax
	if i.Has(mptcpinfo.SizeLast) {
		l.sentAgo = time.Duration(i.LastDataSent) * time.Millisecond
		l.ackedAgo = time.Duration(i.LastAckRecv) * time.Millisecond
		l.received = i.BytesReceived
		widen(fd, l.received-s.had, time.Duration(i.LastDataRecv)*time.Millisecond)
	}
	if l.outstanding && l.una == s.seen {
		s.feed(fd)
	}
	none := i.SubflowsTotal == 0
	if !i.Has(mptcpinfo.SizeSubflowsTotal) {
		none = i.ExtraSubflows == 0 && sockopt.FirstClosed(fd)
	}
	if none {
		l.limbo = nothingToRead(fd)
	}
	return l
}

func (s *sight) readTCP(fd int) (l look) {
	n, errno := sockopt.TCPInfo(fd, s.tcp[:])
	if errno != 0 || n < len(s.tcp) || s.tcp[0] == tcpClose {
		l.gone = true
		return l
	}
	u32 := func(off int) uint32 { return binary.NativeEndian.Uint32(s.tcp[off:]) }
	l.outstanding = u32(tcpInfoUnacked) > 0 || u32(tcpInfoNotsent) > 0
	l.una = binary.NativeEndian.Uint64(s.tcp[tcpInfoAcked:])
	l.sentAgo = time.Duration(u32(tcpInfoLastSent)) * time.Millisecond
	l.ackedAgo = time.Duration(u32(tcpInfoLastAcked)) * time.Millisecond
	return l
}

// nothingToRead reports whether a read of fd would block. A socket without
// subflows that has data to read, or the peer's end of the stream, has not
// failed: both sides are finished.
func nothingToRead(fd int) bool {
	events, err := sockopt.Poll(fd, unix.POLLIN|unix.POLLRDHUP)
	return err == nil && events == 0
}

// setUserTimeout sets TCP_USER_TIMEOUT. A failure leaves TCP's own timeout, and
// is counted.
func setUserTimeout(c syscall.RawConn, d time.Duration) {
	if d <= 0 {
		return
	}
	_ = c.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(max(1, d.Milliseconds()), math.MaxInt32))) != nil {
			conntable.CountRefused(conntable.UserTimeout)
		}
	})
}

// disconnect ends the connection, as connect(2) with AF_UNSPEC does: the peer
// is sent a reset, a blocked read fails, and the file descriptor remains its
// owner's to close. A shutdown would not do: to the reader it looks like the
// peer's regular end of the stream.
func disconnect(c syscall.RawConn) error {
	_, err := sockopt.Control(c, func(fd int) (struct{}, error) { return struct{}{}, sockopt.Disconnect(fd) })
	return err
}
