package transport

import (
	"errors"
	"net"

	"github.com/multipath-go/mptcp"
)

// A noAnswerError says that SYNs with the option were not answered.
type noAnswerError struct{}

func (noAnswerError) Error() string   { return "no answer to SYNs with the Multipath TCP option" }
func (noAnswerError) Timeout() bool   { return true }
func (noAnswerError) Temporary() bool { return true }

var errNoAnswer error = noAnswerError{}

// silenceError replaces the cause of err, which is the cancellation by which
// silence ended the attempt.
func silenceError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		e := *op
		e.Err = errNoAnswer
		return &e
	}
	return errNoAnswer
}

// A fallbackError says why a connection or listener that had to use Multipath
// TCP could not. It matches ErrFallback.
type fallbackError struct {
	reason mptcp.Reason
	err    error // nil if there is no error but the fallback itself
}

func (e *fallbackError) Error() string {
	s := ErrFallback.Error()
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	if e.reason != mptcp.ReasonUnknown {
		s += ": " + e.reason.Explain()
	}
	return s
}

func (e *fallbackError) Is(target error) bool { return target == ErrFallback }

func (e *fallbackError) Unwrap() error { return e.err }

// A controlError is an error of the caller's Control function on a Multipath
// TCP socket.
type controlError struct{ err error }

func (e *controlError) Error() string { return e.err.Error() }
func (e *controlError) Unwrap() error { return e.err }

// bothFailed joins the errors of the two attempts of a dial into one
// *net.OpError, with the addresses of the TCP attempt, if there was one.
func bothFailed(multipath, tcp error) error {
	if tcp == nil {
		return multipath
	}
	var op *net.OpError
	if !errors.As(tcp, &op) {
		return tcp
	}
	e := *op
	e.Err = &attemptsError{multipath: cause(multipath), tcp: op.Err}
	return &e
}

// cause strips the *net.OpError, whose words would stand twice in the text.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

// attemptsError holds the errors of both attempts of a dial.
type attemptsError struct{ multipath, tcp error }

func (e *attemptsError) Error() string {
	m, t := e.multipath.Error(), e.tcp.Error()
	if m == t {
		return t + " (by Multipath TCP and by TCP)"
	}
	return "by Multipath TCP: " + m + "; by TCP: " + t
}

func (e *attemptsError) Unwrap() []error { return []error{e.multipath, e.tcp} }

// Timeout reports whether TCP, which had the last word, timed out; it serves
// net.OpError.Timeout.
func (e *attemptsError) Timeout() bool {
	t, ok := e.tcp.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

func (e *attemptsError) Temporary() bool {
	t, ok := e.tcp.(interface{ Temporary() bool })
	return ok && t.Temporary()
}
