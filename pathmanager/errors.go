package pathmanager

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// refusal is the kernel's answer to a command that it did not carry out.
type refusal struct {
	command uint8 // zero: not known
	errno   syscall.Errno
	message string // the kernel's own words, where it has any
}

// since is the Linux that first had a command.
func since(command uint8) string {
	switch {
	case command == 0:
		return ""
	case command < cmdSetFlags:
		return "Linux 5.6"
	case command == cmdSetFlags:
		return "Linux 5.12"
	case command <= cmdSubflowDestroy:
		return "Linux 5.19"
	}
	return ""
}

func (r *refusal) Error() string {
	if r.message == "" {
		return r.errno.Error()
	}
	return fmt.Sprintf("%v (%q)", r.errno, r.message)
}

func (r *refusal) Unwrap() error { return r.errno }

// Is makes what is not there match [os.ErrNotExist], for which Linux has EINVAL,
// and what is there already [os.ErrExist].
func (r *refusal) Is(target error) bool {
	switch target {
	case os.ErrNotExist:
		return r.errno == syscall.ESRCH || r.says("not found") || r.says("invalid token")
	case os.ErrExist:
		return r.duplicate()
	}
	return false
}

// duplicate says that an address (EEXIST) or its identifier (EBUSY) is in use.
func (r *refusal) duplicate() bool { return r.errno == syscall.EEXIST || r.errno == syscall.EBUSY }

func (r *refusal) says(words string) bool { return strings.Contains(r.message, words) }

// advice says what to do about it.
func (r *refusal) advice() string {
	switch {
	case r.errno == syscall.EPERM || r.errno == syscall.EACCES:
		return needsAdmin
	case r.errno == syscall.EOPNOTSUPP && r.message == "":
		if v := since(r.command); v != "" {
			return "this kernel does not have the command: it needs " + v
		}
		return "this kernel does not have the command"
	case r.says("userspace PM not selected"):
		return "set the sysctl net.mptcp.path_manager=userspace (before Linux 6.15: net.mptcp.pm_type=1) " +
			"before the connection begins"
	case r.says("invalid token"):
		return "the connection has ended, or is not of this network namespace"
	case r.duplicate():
		return "the address or the identifier is in use: change its flags, or delete it first"
	case r.errno == syscall.ERANGE:
		return "the kernel keeps no more endpoints: delete one first"
	}
	return ""
}

const needsAdmin = "this needs CAP_NET_ADMIN in the user namespace that owns the network namespace: " +
	"run as root, or grant the capability (setcap cap_net_admin+ep FILE, AmbientCapabilities= in systemd)"

// failed is the error of a method: what it was doing, what happened, and what
// can be done about it.
func failed(what string, err error) error {
	if r, ok := errors.AsType[*refusal](err); ok && r.advice() != "" {
		return fmt.Errorf("pathmanager: %s: %w: %s", what, err, r.advice())
	}
	return fmt.Errorf("pathmanager: %s: %w", what, err)
}

// invalid is the error of a request that the kernel would not understand, or
// would take for another one.
func invalid(what, why string) error {
	return fmt.Errorf("pathmanager: %s: %w: %s", what, syscall.EINVAL, why)
}
