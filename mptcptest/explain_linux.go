package mptcptest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// obstacle is a setting that keeps a user from making namespaces.
type obstacle struct {
	err            error // that it causes
	file, bad, fix string
	root           bool // root meets it as well
}

var obstacles = []obstacle{
	{fs.ErrPermission, "/proc/sys/kernel/unprivileged_userns_clone", "0",
		"user namespaces are reserved to root here: sysctl -w kernel.unprivileged_userns_clone=1", false},
	{unix.ENOSPC, "/proc/sys/user/max_user_namespaces", "0",
		"user namespaces are switched off here: sysctl -w user.max_user_namespaces=10000", true},
	{unix.ENOSPC, "/proc/sys/user/max_net_namespaces", "0",
		"network namespaces are switched off here: sysctl -w user.max_net_namespaces=10000", true},
	{fs.ErrPermission, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		"AppArmor takes the privileges from user namespaces here: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", false},
}

// errNoPrivilege is the error of a namespace that could be made but not
// configured.
var errNoPrivilege = fmt.Errorf("it gives no privilege: %w", unix.EPERM)

// explain makes of the error of a failed enter one that says what to change.
func explain(err error) error {
	lines := []string{fmt.Sprintf("mptcptest: cannot make a user and network namespace: %v", err)}
	lines = append(lines, hints(err, privileged(), filtered())...)
	return errors.New(strings.Join(lines, "\n\t"))
}

// hints says what may be the cause of the error, for a process that is root or
// not, and has a seccomp filter or not.
func hints(err error, root, seccomp bool) (list []string) {
	for _, o := range obstacles {
		if !errors.Is(err, o.err) || root && !o.root {
			continue
		}
		if v, err := os.ReadFile(o.file); err == nil && strings.TrimSpace(string(v)) == o.bad {
			list = append(list, o.fix)
		}
	}
	if seccomp && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
		list = append(list, "a seccomp filter is in force, as in a container: start it with --security-opt seccomp=unconfined, or --privileged")
	}
	if list != nil {
		return list
	}
	switch {
	case errors.Is(err, unix.ENOSPC):
		return []string{"the limit is reached: raise sysctl user.max_user_namespaces and user.max_net_namespaces"}
	case errors.Is(err, unix.EINVAL):
		return []string{"the kernel must be built with CONFIG_USER_NS and CONFIG_NET_NS"}
	}
	return []string{"none of the usual settings forbids it: is this a chroot, or does a security module (SELinux, AppArmor) deny it?"}
}

// privileged says whether this process is root of the machine, whom settings
// for users do not concern, and not of a user namespace or an ordinary container.
func privileged() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&hdr, &caps[0]); err != nil || caps[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return false
	}
	b, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// filtered says whether a seccomp filter applies to this process.
func filtered() bool {
	b, err := os.ReadFile("/proc/self/status")
	return err == nil && strings.Contains(string(b), "\nSeccomp:\t2")
}
