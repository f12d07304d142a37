package mptcpz

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/multipath-go/mptcp"
)

// A connection is one connection in state.json.
type connection struct {
	ID     uint64         `json:"id"`
	Role   string         `json:"role"`
	Opened time.Time      `json:"opened"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`

	State     mptcp.State  `json:"state"`
	Reason    mptcp.Reason `json:"reason,omitempty"`
	Explain   string       `json:"explain"`
	Command   string       `json:"command,omitempty"`
	Confirmed bool         `json:"confirmed,omitempty"`
	Checksum  bool         `json:"checksum,omitempty"`
	Token     string       `json:"token,omitempty"` // as ss -M and ip mptcp monitor write it

	Bytes      *bytesMoved `json:"bytes,omitempty"` // null where the kernel does not tell
	Congestion string      `json:"congestion_control,omitempty"`
	Dial       *dial       `json:"dial,omitempty"`
	Subflows   []subflow   `json:"subflows"`
	Error      string      `json:"error,omitempty"` // why there are no subflows
}

// bytesMoved are the application's bytes, on all subflows together.
type bytesMoved struct {
	Sent          uint64 `json:"sent"`
	Received      uint64 `json:"received"`
	Acked         uint64 `json:"acked"`
	Retransmitted uint64 `json:"retransmitted"` // by Multipath TCP, on another subflow or the same
}

// A dial says how a connection came about.
type dial struct {
	Address           string  `json:"address"`
	Duration          float64 `json:"duration_ms"`
	MultipathAttempts int     `json:"multipath_attempts"`
	TCPAttempts       int     `json:"tcp_attempts"`
	MultipathError    string  `json:"multipath_error,omitempty"`
}

// A subflow is one subflow in state.json. Bytes and segments count up, and are
// those of TCP: what was sent again is in both Sent and Retransmitted.
type subflow struct {
	ID     uint32         `json:"id"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	State  string         `json:"state"` // of TCP, as ss writes it

	RTT    float64 `json:"rtt_ms"`
	RTTVar float64 `json:"rttvar_ms"`
	MinRTT float64 `json:"min_rtt_ms"`
	RTO    float64 `json:"rto_ms"`

	Window      uint32 `json:"congestion_window"` // segments
	MSS         uint32 `json:"mss"`
	InFlight    uint32 `json:"in_flight"`   // segments
	Lost        uint32 `json:"lost"`        // segments held for lost now
	Retransmits uint32 `json:"retransmits"` // segments sent again in all
	Timeouts    uint8  `json:"timeouts"`    // since the last progress

	Sent          uint64 `json:"sent"`
	Retransmitted uint64 `json:"retransmitted"`
	Acked         uint64 `json:"acked"`
	Received      uint64 `json:"received"`
	DeliveryRate  uint64 `json:"delivery_bytes_per_s"`
}

// detail reads what is shown of a connection that is looked at, once for each
// sample however many look at it.
func (s *sample) detail(r *row) *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.details[r.id]; c != nil {
		return c
	}
	if s.details == nil {
		s.details = make(map[uint64]*connection)
	}
	c := r.read()
	s.details[r.id] = c
	return c
}

func (r *row) read() *connection {
	c := &connection{
		ID: r.id, Role: r.c.Role().String(), Opened: r.c.Opened(),
		Local: addrPort(r.c.LocalAddr()), Remote: addrPort(r.c.RemoteAddr()),
		Congestion: r.c.CongestionControl(), Subflows: []subflow{},
	}
	status, err := r.c.Status()
	if err != nil {
		// It has been closed in this second. The next sample leaves it out.
		status.State, status.Reason = r.state, r.reason
		c.Error = err.Error()
	}
	c.State, c.Reason, c.Explain, c.Command = status.State, status.Reason, status.Explain(), command(status.Reason)
	if status.State != mptcp.Multipath && status.Reason != mptcp.ReasonUnknown {
		c.Explain = status.Reason.Explain()
	}
	c.Confirmed, c.Checksum = status.Confirmed, status.Checksum
	if status.Token != 0 {
		c.Token = fmt.Sprintf("%08x", status.Token)
	}
	if sent, received, ok := status.Bytes(); ok {
		acked, _ := status.Acked()
		_, again, _ := status.Retransmits()
		c.Bytes = &bytesMoved{Sent: sent, Received: received, Acked: acked, Retransmitted: again}
	}
	if d, ok := r.c.Dial(); ok {
		c.Dial = &dial{Address: d.Address, Duration: ms(d.Duration), MultipathAttempts: d.MultipathAttempts, TCPAttempts: d.TCPAttempts}
		if d.MultipathError != nil {
			c.Dial.MultipathError = d.MultipathError.Error()
		}
	}
	if c.Error != "" {
		return c
	}
	list, err := r.c.Subflows()
	if err != nil {
		c.Error = err.Error()
	}
	for i := range list {
		c.Subflows = append(c.Subflows, newSubflow(&list[i]))
	}
	return c
}

func newSubflow(f *mptcp.Subflow) subflow {
	return subflow{
		ID: f.ID, Local: f.Local, Remote: f.Remote, State: f.State.String(),
		RTT: ms(f.RTT), RTTVar: ms(f.RTTVar), MinRTT: ms(f.MinRTT), RTO: ms(f.RTO),
		Window: f.CongestionWindow, MSS: f.MSS, InFlight: f.Unacked, Lost: f.Lost,
		Retransmits: f.Retransmits, Timeouts: f.Timeouts,
		Sent: f.BytesSent, Retransmitted: f.BytesRetransmitted, Acked: f.BytesAcked, Received: f.BytesReceived,
		DeliveryRate: f.DeliveryRate,
	}
}

// ms returns a time in milliseconds, exact to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
