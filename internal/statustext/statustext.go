// Package statustext writes a status for the other end of a connection to
// read, in a gRPC trailer or an HTTP header.
package statustext

import (
	"strings"

	"github.com/multipath-go/mptcp"
)

// Format returns the state, followed by the reason if there is one and by
// "confirmed" if Multipath TCP is: "tcp; reason=not-offered".
func Format(s mptcp.Status) string {
	v := s.State.String()
	if s.Reason != mptcp.ReasonUnknown {
		v += "; reason=" + s.Reason.String()
	}
	if s.Confirmed {
		v += "; confirmed"
	}
	return v
}

// Parse reads what Format of this version or another one has written. What it
// does not know, it leaves unknown.
func Parse(v string) (s mptcp.Status) {
	state, params, _ := strings.Cut(v, ";")
	_ = s.State.UnmarshalText([]byte(strings.TrimSpace(state)))
	for param := range strings.SplitSeq(params, ";") {
		param = strings.TrimSpace(param)
		if reason, ok := strings.CutPrefix(param, "reason="); ok {
			_ = s.Reason.UnmarshalText([]byte(reason))
		}
		if param == "confirmed" {
			s.Confirmed = s.State == mptcp.Multipath
		}
	}
	return s
}
