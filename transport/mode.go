package transport

import "errors"

// A Mode says what a dial or a listener does about Multipath TCP.
type Mode uint8

const (
	// Prefer uses Multipath TCP where the host, the path and the peer allow
	// it, and TCP elsewhere. It is the zero value.
	Prefer Mode = iota

	// Require fails with [ErrFallback] where Prefer would use TCP.
	Require

	// Off uses TCP.
	Off
)

// String returns "prefer", "require" or "off".
func (m Mode) String() string {
	switch m {
	case Require:
		return "require"
	case Off:
		return "off"
	}
	return "prefer"
}

// ErrFallback is matched by the error of a dial or a listen in Mode [Require]
// that could have gone on only without Multipath TCP. The error's text says
// why.
var ErrFallback = errors.New("connection does not use Multipath TCP")
