package transport

import (
	"net"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/conntable"
)

// tally counts the dial, which is over and led to c, or to nothing.
func (r *race) tally(c net.Conn) {
	result, by, took := uint8(conntable.DialFailed), conntable.NoProtocol, time.Since(r.start)
	multipath, tcp := r.multipathAttempts, r.tcpAttempts
	if c != nil {
		s, _ := mptcp.InspectAddr(c.LocalAddr())
		result, by = uint8(s.State), conntable.TCP
		d := r.record
		if r.winner != nil {
			d = r.winner.record
			multipath += d.MultipathAttempts
			tcp += d.TCPAttempts
		}
		if took = d.Duration; d.MultipathError == nil && d.MultipathAttempts > 0 {
			by = conntable.Multipath
		}
	}
	conntable.CountDial(result, took, by, multipath, tcp)
}
