// Command guest is the first and only program of the kernels that
// internal/kernels starts. It mounts what programs expect, loads modules, runs
// what the plan in the initramfs says, and reports on the second serial line:
// one JSON object on each line, see internal/kernels/wire.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the init of a kernel that internal/kernels starts: see go doc ./internal/kernels")
		os.Exit(2)
	}
	err := boot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // QEMU is told not to: it ends
	fmt.Fprintln(os.Stderr, "guest: reboot:", err)
}

// boot does everything, and reports as far as there is a line to report on.
func boot() error {
	if err := mount(); err != nil {
		return err
	}
	r, err := openReport("/dev/ttyS1")
	if err != nil {
		return err
	}
	if err := run(r); err != nil {
		r.send(wire.Message{Fatal: err.Error()})
	}
	r.send(wire.Message{End: true})
	return r.close()
}

func run(r *report) error {
	text, err := os.ReadFile(wire.PlanFile)
	if err != nil {
		return err
	}
	var p wire.Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return fmt.Errorf("%s: %w", wire.PlanFile, err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return os.NewSyscallError("uname", err)
	}
	r.send(wire.Message{Kernel: unix.ByteSliceToString(uts.Release[:])})
	for _, m := range p.Modules {
		if err := load(m); err != nil {
			return err
		}
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	for _, p := range p.Runs {
		if p.Each {
			r.send(each(r, p))
			continue
		}
		r.send(execute(p, r.line(p.Name)))
	}
	return nil
}

// line reports a line that a program has written.
func (r *report) line(name string) func(string) {
	return func(text string) { r.send(wire.Message{Run: name, Out: &text}) }
}

// each runs the tests of a binary in processes of their own, so that one that
// hangs or crashes ends no other. It says which there are before it runs them,
// and how each process ended: a test may end without a word.
func each(r *report, p wire.Run) wire.Message {
	skip, err := regexp.Compile(p.Skip)
	if err != nil {
		return wire.Message{Run: p.Name, Exit: &wire.Exit{Code: -1, Error: err.Error()}}
	}
	var tests []wire.Test
	list := p
	list.Args = []string{"-test.list=^(Test|Example|Fuzz)"}
	m := execute(list, func(text string) {
		if !strings.HasPrefix(text, "Test") && !strings.HasPrefix(text, "Example") && !strings.HasPrefix(text, "Fuzz") {
			r.line(p.Name)(text)
			return
		}
		tests = append(tests, wire.Test{Name: text, Skip: p.Skip != "" && skip.MatchString(text)})
	})
	r.send(wire.Message{Run: p.Name, Tests: tests})
	for _, t := range tests {
		if t.Skip {
			continue
		}
		one := p
		one.Args = append([]string{"-test.run=^" + t.Name + "$"}, p.Args...)
		t.Exit = execute(one, r.line(p.Name)).Exit
		r.send(wire.Message{Run: p.Name, Test: &t})
	}
	return m
}

// mount makes the file systems that programs expect.
func mount() error {
	for _, m := range []struct{ typ, dir string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.typ, m.dir, m.typ, 0, ""); err != nil && err != unix.EBUSY {
			return &os.PathError{Op: "mount", Path: m.dir, Err: err}
		}
	}
	return os.Chmod("/tmp", 0o777|os.ModeSticky)
}

// load loads a module, which the kernel decompresses if it has to.
func load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if strings.HasSuffix(name, ".xz") || strings.HasSuffix(name, ".zst") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(int(f.Fd()), "", flags)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "finit_module", Path: name, Err: err}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return os.NewSyscallError("ioctl(SIOCSIFFLAGS)", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo))
}

// execute runs one program, and passes on its output line by line.
func execute(p wire.Run, each func(line string)) wire.Message {
	out, in, err := os.Pipe()
	if err != nil {
		return wire.Message{Run: p.Name, Exit: &wire.Exit{Code: -1, Error: err.Error()}}
	}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir = p.Dir
	cmd.Env = append([]string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}, p.Env...)
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		in.Close()
		out.Close()
		return wire.Message{Run: p.Name, Exit: &wire.Exit{Code: -1, Error: err.Error()}}
	}
	in.Close()
	timeout := time.AfterFunc(p.Timeout, func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGQUIT) // gone already: nobody to tell
		time.AfterFunc(5*time.Second, func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	})
	read := bufio.NewReader(out)
	for {
		line, err := read.ReadString('\n')
		if line != "" {
			each(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			break
		}
	}
	out.Close()
	err = cmd.Wait()
	exit := &wire.Exit{Code: cmd.ProcessState.ExitCode(), Took: time.Since(start)}
	var status *exec.ExitError
	switch {
	case !timeout.Stop():
		exit.Error = fmt.Sprintf("did not end in %v", p.Timeout)
	case err != nil && (!errors.As(err, &status) || exit.Code < 0):
		exit.Error = err.Error()
	}
	return wire.Message{Run: p.Name, Exit: exit}
}

// A report is the serial line to the host.
type report struct {
	mu sync.Mutex
	f  *os.File
	w  *bufio.Writer
}

// openReport opens the line, and keeps the kernel from changing what is written.
func openReport(name string) (*report, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, &os.PathError{Op: "tcgetattr", Path: name, Err: err}
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^unix.CBAUD | unix.CS8 | unix.B115200
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, &os.PathError{Op: "tcsetattr", Path: name, Err: err}
	}
	debug.SetGCPercent(50)
	return &report{f: f, w: bufio.NewWriter(f)}, nil
}

// send writes a message. An error cannot be told to anybody: the host notices
// that the end is missing.
func (r *report) send(m wire.Message) {
	text, err := json.Marshal(m)
	if err != nil {
		text = []byte(`{"fatal":"a message that cannot be encoded"}`)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.w.Write(append(text, '\n'))
	_ = r.w.Flush()
}

// close waits until the line has taken everything.
func (r *report) close() error {
	err := unix.IoctlSetInt(int(r.f.Fd()), unix.TCSBRK, 1) // tcdrain
	if err == nil {
		err = r.f.Close()
	}
	if err == io.EOF {
		err = nil
	}
	return err
}
