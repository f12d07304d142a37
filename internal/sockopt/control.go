package sockopt

import "syscall"

// Control calls f with the file descriptor behind c. The error is that of f,
// or else that of c, which matches [net.ErrClosed] for a closed connection.
// The two never share a variable: a closure that assigns to the variable that
// receives Control's own result loses its error.
func Control[T any](c syscall.RawConn, f func(fd int) (T, error)) (T, error) {
	var v T
	var inner error
	outer := c.Control(func(fd uintptr) { v, inner = f(int(fd)) })
	if outer != nil {
		var zero T
		return zero, outer
	}
	return v, inner
}
