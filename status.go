package mptcp

import (
	"time"

	"github.com/multipath-go/mptcp/internal/mptcpinfo"
)

// A State says what carries a connection's bytes.
type State uint8

const (
	// Unknown means that the kernel was not asked, could not tell, or that
	// nothing carries the bytes: see [ReasonNoSubflow].
	Unknown State = iota

	// TCP means that the connection uses TCP because nobody on this host
	// asked for anything else: it was dialed without Multipath TCP, or it was
	// accepted and no offer of Multipath TCP arrived.
	TCP

	// Fallback means that this host asked for Multipath TCP and TCP carries
	// the bytes all the same. [Status.Reason] says why. A fallback is final.
	Fallback

	// Multipath means that the connection uses Multipath TCP, be it with one
	// subflow or with several. It may still become a Fallback until a second
	// subflow has joined.
	Multipath
)

var stateNames = [...]string{"unknown", "tcp", "fallback", "multipath"}

// String returns "unknown", "tcp", "fallback" or "multipath". These words are
// stable: they may be used as metric labels.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return stateNames[Unknown]
}

// MarshalText returns the bytes of String, for JSON and for [log/slog].
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText. A word that this version does
// not know is Unknown, and no error.
func (s *State) UnmarshalText(text []byte) error {
	*s = Unknown
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
		}
	}
	return nil
}

// A Status is what is known of one connection at one moment. Its zero value
// says that nothing is known.
//
// Token and Checksum are zero unless State is [Multipath]. What only newer
// kernels tell is behind methods whose last result says whether this kernel
// told it.
type Status struct {
	// State says what carries the bytes.
	State State

	// Reason says why State is not Multipath. It is ReasonUnknown, the zero
	// value, when State is Multipath and when nobody knows.
	Reason Reason

	// Confirmed reports, for a Multipath connection, that the peer has
	// acknowledged or sent data by Multipath TCP. Before that it is only
	// negotiated: a middlebox that lets the handshake pass and removes the
	// option later is still to be met. Linux tells from 6.5 on; before that,
	// Confirmed is set as soon as a second subflow has joined.
	Confirmed bool

	// Checksum reports whether data is checksummed by Multipath TCP itself
	// (RFC 8684, section 3.3), so that a middlebox that rewrites the payload
	// is noticed.
	Checksum bool

	// Token names the connection on this host (RFC 8684, section 3.2): in
	// path manager events and commands, and in the output of ss -M.
	Token uint32

	info mptcpinfo.Info
}

// String returns the state, and the reason in parentheses if there is one:
// "multipath", "fallback (not-answered)".
func (s Status) String() string {
	if s.Reason == ReasonUnknown {
		return s.State.String()
	}
	return s.State.String() + " (" + s.Reason.String() + ")"
}

// Explain returns one sentence for a person that says what the connection
// uses and, if it is not Multipath TCP, why not.
func (s Status) Explain() string {
	switch s.State {
	case Multipath:
		if s.Confirmed {
			return "The connection uses Multipath TCP."
		}
		return "The connection has negotiated Multipath TCP; the peer has not yet acknowledged data with it."
	case TCP, Fallback:
		return "The connection uses TCP. " + s.Reason.Explain()
	}
	if s.Reason == ReasonUnknown {
		return "It is not known what the connection uses."
	}
	return s.Reason.Explain()
}

// Subflows returns the number of subflows in use or being opened, the first one
// included; [Subflows] tells them apart, by their TCP state. The
// bool reports whether the kernel told; Linux does from 6.8 on.
func (s Status) Subflows() (int, bool) {
	return int(s.info.SubflowsTotal), s.info.Has(mptcpinfo.SizeSubflowsTotal)
}

// Bytes returns how many bytes of the application were sent and received, on
// all subflows together; retransmissions are not counted. The bool reports
// whether the kernel told; Linux does from 6.5 on, while State is Multipath.
func (s Status) Bytes() (sent, received uint64, ok bool) {
	return s.info.BytesSent, s.info.BytesReceived, s.info.Has(mptcpinfo.SizeBytes)
}

// Acked returns how many bytes of the application the peer has acknowledged by
// Multipath TCP. The bool is as for [Status.Bytes].
func (s Status) Acked() (uint64, bool) {
	return s.info.BytesAcked, s.info.Has(mptcpinfo.SizeBytes)
}

// Retransmits returns how many retransmission timeouts Multipath TCP itself
// has had and how many bytes it has sent again on another subflow, or on the
// same one. What TCP retransmits within a subflow is not counted: see
// [Subflow]. The bool is as for [Status.Bytes].
func (s Status) Retransmits() (timeouts uint32, bytes uint64, ok bool) {
	return s.info.Retransmits, s.info.BytesRetrans, s.info.Has(mptcpinfo.SizeBytes)
}

// Idle returns how long ago data was last sent, was last received, and was
// last acknowledged by the peer, in steps of a millisecond. The bool reports
// whether the kernel told; Linux does from 6.10 on, while State is Multipath.
func (s Status) Idle() (sent, received, acked time.Duration, ok bool) {
	return time.Duration(s.info.LastDataSent) * time.Millisecond,
		time.Duration(s.info.LastDataRecv) * time.Millisecond,
		time.Duration(s.info.LastAckRecv) * time.Millisecond,
		s.info.Has(mptcpinfo.SizeLast)
}

// infoStatus tells what a successful MPTCP_INFO means. No error of getsockopt does
// not mean that the connection uses Multipath TCP: a socket that was never
// connected answers, and so does one that has lost its last subflow.
func infoStatus(i mptcpinfo.Info) Status {
	s := Status{Token: i.Token, Checksum: i.Checksum, info: i}
	switch {
	case i.Has(mptcpinfo.SizeSubflowsTotal) && i.SubflowsTotal == 0:
		s.Reason = ReasonNoSubflow
	case i.Flags&mptcpinfo.FlagRemoteKeyReceived == 0:
		// Not connected, or still connecting.
	default:
		s.State = Multipath
		s.Confirmed = i.BytesAcked > 0 || i.BytesReceived > 0 || i.ExtraSubflows > 0 || i.SubflowsTotal > 1
	}
	if s.State != Multipath {
		s.Token, s.Checksum = 0, false
	}
	return s
}
