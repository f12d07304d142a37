package mptcp

// A Reason says why a connection does not use Multipath TCP. It is exact or
// absent: what one end cannot know (the peer or a middlebox, the SYN or the
// SYN/ACK) is named as the class that it is.
type Reason uint8

const (
	// ReasonUnknown, the zero value, means that there is nothing to explain
	// or that nobody knows.
	ReasonUnknown Reason = iota

	// ReasonNotRequested: this program dialed or listened without asking for
	// Multipath TCP.
	ReasonNotRequested

	// ReasonNotOffered: the connection was accepted by a Multipath TCP
	// listener and no complete offer arrived. The client did not ask, or a
	// middlebox removed the option from the SYN, the SYN/ACK or the third
	// ACK; the accepted socket is the same in all these cases.
	ReasonNotOffered

	// ReasonHostWithout: the kernel was built without Multipath TCP
	// (EPROTONOSUPPORT).
	ReasonHostWithout

	// ReasonHostTooOld: the kernel is older than Multipath TCP, before Linux
	// 5.6 (EINVAL), or the system is not Linux.
	ReasonHostTooOld

	// ReasonHostDisabled: Multipath TCP is switched off in this network
	// namespace by the sysctl net.mptcp.enabled (ENOPROTOOPT).
	ReasonHostDisabled

	// ReasonHostDenied: a security policy (LSM, seccomp, eBPF) refuses
	// Multipath TCP sockets (EPERM, EACCES).
	ReasonHostDenied

	// ReasonHostError: the socket could not be made for a reason that has
	// nothing to do with Multipath TCP, such as a lack of file descriptors.
	ReasonHostError

	// ReasonControl: the Control function that the program gave to its dialer
	// or listener failed on a Multipath TCP socket, which refuses some options
	// of TCP.
	ReasonControl

	// ReasonHostSuppressed: the kernel did not put the option into the SYN.
	// Nearly always because it noticed a path that drops such SYNs and has
	// switched outgoing Multipath TCP off for the whole network namespace,
	// for an hour at first (sysctl net.mptcp.blackhole_timeout).
	ReasonHostSuppressed

	// ReasonNotAnswered: the SYN/ACK came without the option. The peer does
	// not speak Multipath TCP, or a middlebox removed the option from the SYN
	// or from the SYN/ACK.
	ReasonNotAnswered

	// ReasonSYNDropped: SYNs with the option were not answered, one without
	// it was.
	ReasonSYNDropped

	// ReasonSYNReset: a SYN with the option was answered by a reset or an
	// ICMP error, one without it was accepted.
	ReasonSYNReset

	// ReasonRemembered: an earlier dial found that SYNs with the option do
	// not get through to this destination, so this one did not send any, or
	// not wait for an answer to them. See transport.Memory.
	ReasonRemembered

	// ReasonFirstData: the handshake negotiated Multipath TCP, but the first
	// segments after it lacked the option or failed its checksum.
	ReasonFirstData

	// ReasonMidStream: the connection used Multipath TCP and lost it later,
	// because the option was removed or the payload was changed on the way.
	ReasonMidStream

	// ReasonUnacknowledged: the peer acknowledged nothing for the user timeout,
	// and the connection was ended for that. See transport.Dialer.
	ReasonUnacknowledged

	// ReasonNoSubflow: the connection uses Multipath TCP and has no subflow
	// left. The last one was reset or timed out, or both sides have finished.
	// Linux keeps such a socket silently alive for net.mptcp.close_timeout,
	// 60 s; unless another subflow joins in that time, it then fails.
	ReasonNoSubflow
)

var reasons = [...]struct{ word, sentence string }{
	ReasonUnknown:        {"unknown", "The reason is not known."},
	ReasonNotRequested:   {"not-requested", "Multipath TCP was not asked for."},
	ReasonNotOffered:     {"not-offered", "No complete offer of Multipath TCP arrived: the client did not ask, or a middlebox removed the option in the handshake."},
	ReasonHostWithout:    {"host-without", "This host's kernel was built without Multipath TCP: use one with CONFIG_MPTCP."},
	ReasonHostTooOld:     {"host-too-old", "This host's kernel is older than Multipath TCP: Linux 5.6 is the first that has it."},
	ReasonHostDisabled:   {"host-disabled", "Multipath TCP is switched off on this host: sysctl -w net.mptcp.enabled=1 switches it on."},
	ReasonHostDenied:     {"host-denied", "A security policy on this host (LSM, seccomp or eBPF) refuses Multipath TCP sockets: allow socket(2) with IPPROTO_MPTCP."},
	ReasonHostError:      {"host-error", "This host could not make a Multipath TCP socket."},
	ReasonControl:        {"control", "The program's own Control function failed on a Multipath TCP socket."},
	ReasonHostSuppressed: {"host-suppressed", "The kernel did not send the option, most likely because it has switched Multipath TCP off for a time after a path dropped it: writing sysctl net.mptcp.blackhole_timeout ends that."},
	ReasonNotAnswered:    {"not-answered", "The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option."},
	ReasonSYNDropped:     {"syn-dropped", "SYNs with the option were not answered, one without it was: most likely a middlebox drops them or the answers to them."},
	ReasonSYNReset:       {"syn-reset", "A SYN with the option was refused, one without it was accepted: a middlebox refuses it."},
	ReasonRemembered:     {"remembered", "An earlier dial found that the option does not get through to this destination."},
	ReasonFirstData:      {"first-data", "The handshake negotiated Multipath TCP, but the first data came without it: a middlebox removed the option after the handshake."},
	ReasonMidStream:      {"mid-stream", "The connection used Multipath TCP and lost it later: a middlebox removed the option or changed the data."},
	ReasonUnacknowledged: {"unacknowledged", "The peer acknowledged no data for as long as the user timeout allows, and the connection was ended."},
	ReasonNoSubflow:      {"no-subflow", "The connection has no subflow left: all of its paths have failed or are closed."},
}

// String returns a stable word of few possible values, fit for a metric label:
// "not-answered", "syn-dropped", ….
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r].word
	}
	return reasons[ReasonUnknown].word
}

// Explain returns one sentence for a person: what happened and, where there
// is something to do about it on this host, what.
func (r Reason) Explain() string {
	if int(r) < len(reasons) {
		return reasons[r].sentence
	}
	return reasons[ReasonUnknown].sentence
}

// MarshalText returns the bytes of String, for JSON and for [log/slog].
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the reverse of MarshalText. A word that this version does
// not know is ReasonUnknown, and no error.
func (r *Reason) UnmarshalText(text []byte) error {
	*r = ReasonUnknown
	for i := range reasons {
		if reasons[i].word == string(text) {
			*r = Reason(i)
		}
	}
	return nil
}
