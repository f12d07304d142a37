package mptcp

import "errors"

// probeError is what Probe returns. It matches errors.ErrUnsupported if the
// reason is conclusive: a lack of file descriptors is not.
type probeError struct {
	reason Reason
	err    error
}

func (e *probeError) Error() string {
	return "mptcp: " + e.err.Error() + ": " + e.reason.Explain()
}

func (e *probeError) Unwrap() error { return e.err }

func (e *probeError) Is(target error) bool {
	return target == errors.ErrUnsupported && e.reason != ReasonHostError
}
