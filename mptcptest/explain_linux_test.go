package mptcptest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sysctl")
	if err := os.WriteFile(file, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(old []obstacle) { obstacles = old }(obstacles)
	obstacles = []obstacle{
		{fs.ErrPermission, file, "0", "allow users", false},
		{fs.ErrPermission, file, "1", "not in force", true},
		{fs.ErrPermission, file + "x", "0", "not there", true},
		{unix.ENOSPC, file, "0", "raise the limit", true},
	}
	for _, tt := range []struct {
		err           error
		root, seccomp bool
		want          string // parts of the hints
	}{
		{unix.EPERM, false, false, "allow users"},
		{unix.EACCES, false, true, "allow users"},
		{errNoPrivilege, false, true, "allow users, seccomp"},
		{unix.EPERM, true, true, "seccomp"},
		{unix.ENOSYS, false, true, "seccomp"},
		{unix.EPERM, true, false, "none of the usual"},
		{unix.ENOSPC, true, true, "raise the limit"},
		{unix.EINVAL, false, true, "CONFIG_USER_NS"},
	} {
		got, want := hints(tt.err, tt.root, tt.seccomp), strings.Split(tt.want, ", ")
		if !slices.EqualFunc(got, want, strings.Contains) {
			t.Errorf("%v, root %v, seccomp %v: %q, want %q", tt.err, tt.root, tt.seccomp, got, want)
		}
	}
	obstacles = nil
	if got := hints(unix.ENOSPC, false, true); len(got) != 1 || !strings.Contains(got[0], "the limit is reached") {
		t.Errorf("ENOSPC: %q", got)
	}
	if privileged() {
		t.Error("in a laboratory nobody is root of the machine")
	}
}

// TestNoNamespaces runs this binary where no more namespaces can be made.
func TestNoNamespaces(t *testing.T) {
	if os.Getenv("MPTCPTEST_TEST_OPTIONAL") != "" {
		New(t)
		return
	}
	// In a lab of its own, whose limit is nobody else's.
	limit := "/proc/sys/user/max_user_namespaces"
	old, err := os.ReadFile(limit)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(limit, old, 0)
	for _, tt := range []struct {
		optional, require, want string
		fails                   bool
	}{
		{"", "", "sysctl -w user.max_user_namespaces", true},
		{"1", "", "SKIP: TestNoNamespaces", false},
		{"1", "1", "sysctl -w user.max_user_namespaces", true},
	} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestNoNamespaces$", "-test.v")
		cmd.Env = []string{envRequire + "=" + tt.require, "MPTCPTEST_TEST_OPTIONAL=" + tt.optional}
		out, err := cmd.CombinedOutput()
		if (err != nil) != tt.fails || !strings.Contains(string(out), tt.want) {
			t.Errorf("optional %q, require %q: %v\n%s", tt.optional, tt.require, err, out)
		}
	}
}

// TestNoPrivilege runs this binary where a namespace can be made but gives no
// privilege, as under Ubuntu's AppArmor. See TestMain.
func TestNoPrivilege(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestNoPrivilege$")
	cmd.Env = []string{"MPTCPTEST_TEST_POOR=1"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(string(out), "mptcptest: cannot make a user and network namespace: it gives no privilege: operation not permitted\n\t") {
		t.Errorf("%v\n%s", err, out)
	}
}
