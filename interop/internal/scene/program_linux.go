package scene

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// envRoot names a tree of Debian packages. The script fetch makes one.
const envRoot = "INTEROP_ROOT"

// root is the directory of the tree.
func root(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(envRoot)
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("%v; set %s to where ./fetch has put the programs", err, envRoot)
		}
		dir = filepath.Join(cache, "mptcp-interop", "root")
	}
	if _, err := os.Stat(filepath.Join(dir, "packages")); err != nil {
		t.Fatalf("no programs of Debian: %v; run ./fetch in the directory interop, or set %s", err, envRoot)
	}
	return dir
}

// PackageVersion is the version of a Debian package in the tree.
func PackageVersion(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), "packages"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if pkg, version, _ := strings.Cut(strings.TrimSpace(line), " "); pkg == name {
			return version
		}
	}
	t.Fatalf("package %s is not in the tree: run ./fetch again", name)
	return ""
}

// A Process is a program of Debian that runs in a host.
type Process struct {
	*exec.Cmd
	Dir string // a new directory, by its name within the tree

	t      testing.TB
	inside string // Dir, by its name outside the tree
	output lockedBuffer
}

// enter is a script that makes the tree $0 the root directory of a command, with
// the machine's devices and processes. The mounts end with the command.
const enter = `mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && PATH=$PATH:/usr/sbin && exec chroot "$0" "$@"`

// NewProcess prepares to run a program of the tree in a host, with the tree as
// its root directory.
func NewProcess(t testing.TB, h *mptcptest.Host) *Process {
	t.Helper()
	tree := root(t)
	inside, err := os.MkdirTemp(filepath.Join(tree, "tmp"), "interop")
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, Dir: strings.TrimPrefix(inside, tree), inside: inside}
	t.Cleanup(func() {
		if err := os.RemoveAll(inside); err != nil {
			t.Error(err)
		}
	})
	p.Cmd = h.Command("unshare", "--mount", "sh", "-c", enter, tree)
	p.Env = []string{"PATH=/usr/sbin:/usr/bin", "HOME=" + p.Dir, "LC_ALL=C", "PYTHONUNBUFFERED=1"}
	return p
}

// File writes a file into the process's directory and returns its name.
func (p *Process) File(name string, content []byte, mode os.FileMode) string {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.inside, name), content, mode); err != nil {
		p.t.Fatal(err)
	}
	return filepath.Join(p.Dir, name)
}

// Start starts the program. It is killed when the test ends, and its output is
// shown if the test has failed. Standard output may have been taken by
// StdoutPipe before.
func (p *Process) Start(name string, args ...string) {
	p.t.Helper()
	p.Args = append(append(p.Args, name), args...)
	if p.Stdout == nil {
		p.Stdout = &p.output
	}
	p.Stderr = &p.output
	p.WaitDelay = time.Second
	if err := p.Cmd.Start(); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	p.t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()         // and it was killed
		if p.t.Failed() {
			p.t.Logf("output of %s:\n%s", name, p.output.String())
		}
	})
}

// Output is what the program has written so far.
func (p *Process) Output() string { return p.output.String() }

// AwaitListener polls until somebody listens at a port of the server. It does
// not connect: that would be one more connection on the wire.
func (s *Scene) AwaitListener(port uint16) {
	s.t.Helper()
	s.awaitListener(s.Server, port)
}

// AwaitClientListener is AwaitListener for the client.
func (s *Scene) AwaitClientListener(port uint16) {
	s.t.Helper()
	s.awaitListener(s.Client, port)
}

func (s *Scene) awaitListener(h *mptcptest.Host, port uint16) {
	s.t.Helper()
	for begin := time.Now(); !listening(h, port); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > patience {
			s.t.Fatalf("nobody listens at port %d of the %s after %v", port, h, patience)
		}
	}
}

// A lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
