package pathmanager

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		r     refusal
		is    error
		words string
	}{
		{refusal{errno: syscall.EPERM}, os.ErrPermission, "CAP_NET_ADMIN"},
		{refusal{errno: syscall.EACCES}, os.ErrPermission, "CAP_NET_ADMIN"},
		{refusal{errno: syscall.EOPNOTSUPP}, errors.ErrUnsupported, "this kernel does not have the command"},
		{refusal{command: cmdGetLimits, errno: syscall.EOPNOTSUPP}, errors.ErrUnsupported, "needs Linux 5.6"},
		{refusal{command: cmdSetFlags, errno: syscall.EOPNOTSUPP}, errors.ErrUnsupported, "needs Linux 5.12"},
		{refusal{command: cmdAnnounce, errno: syscall.EOPNOTSUPP}, errors.ErrUnsupported, "needs Linux 5.19"},
		{refusal{command: cmdSubflowDestroy, errno: syscall.EOPNOTSUPP}, errors.ErrUnsupported, "needs Linux 5.19"},
		{refusal{0, syscall.EINVAL, "address not found"}, os.ErrNotExist, `("address not found")`},
		{refusal{0, syscall.EINVAL, "invalid token"}, os.ErrNotExist, "has ended"},
		{refusal{errno: syscall.ESRCH}, os.ErrNotExist, "doing something"},
		{refusal{0, syscall.EINVAL, "userspace PM not selected"}, syscall.EINVAL, "net.mptcp.pm_type=1"},
		{refusal{errno: syscall.EEXIST}, os.ErrExist, "delete it first"},
		{refusal{errno: syscall.EBUSY}, os.ErrExist, "delete it first"},
		{refusal{errno: syscall.ERANGE}, syscall.ERANGE, "no more endpoints"},
		{refusal{errno: syscall.ENOMEM}, syscall.ENOMEM, "pathmanager: doing something: " + syscall.ENOMEM.Error()},
	} {
		err := failed("doing something", &tt.r)
		if !errors.Is(err, tt.is) || !errors.Is(err, tt.r.errno) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%v: matches %v, want %v, and %q", err, errors.Is(err, tt.is), tt.is, tt.words)
		}
	}
	if err := failed("x", &refusal{errno: syscall.ENOMEM}); errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrExist) {
		t.Errorf("%v matches everything", err)
	}
	for _, e := range []*OverflowError{{}, {Lost: 3}} {
		if !errors.Is(e, syscall.ENOBUFS) || !strings.Contains(e.Error(), "events were lost") {
			t.Error(e)
		}
	}
}
