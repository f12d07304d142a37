package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func newWriter(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 1<<20) }

// patience is how long a guest may take, of the host's time: several times what
// it takes on a machine that does nothing else.
const patience = 30 * time.Minute

// commandLine is the kernel's. QEMU translates a library anew for every address that
// it is mapped at: without norandmaps a guest of many short processes takes a quarter
// longer. Nobody attacks it, so that it need not defend itself either.
const commandLine = "console=ttyS0 panic=-1 loglevel=4 norandmaps mitigations=off"

// A ran is how a guest was run. It is kept beside what the guest said.
type ran struct {
	When time.Time     // it began
	Took time.Duration // of the host's time
	CPU  time.Duration // of QEMU's
	QEMU string        // its version
}

// and returns how r, if it is something yet, and another guest were run by the
// same QEMU.
func (r ran) and(other ran) ran {
	if r.When.IsZero() {
		return other
	}
	end := r.When.Add(r.Took)
	if e := other.When.Add(other.Took); e.After(end) {
		end = e
	}
	if other.When.Before(r.When) {
		r.When = other.When
	}
	r.Took, r.CPU = end.Sub(r.When), r.CPU+other.CPU
	return r
}

// boot runs a guest until it ends, and keeps what it says in the directory: the
// messages in wire, and what the kernel says on its console.
func boot(ctx context.Context, dir, kernel, initrd string) error {
	r := ran{When: time.Now()}
	version, err := exec.CommandContext(ctx, "qemu-system-x86_64", "--version").Output()
	if err != nil {
		return fmt.Errorf("qemu-system-x86_64 --version: %w", err)
	}
	r.QEMU = qemuVersion(string(version))
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it has not ended in %v", patience))
	defer cancel()
	console := filepath.Join(dir, "console")
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		// One processor whose clock counts instructions, one a nanosecond, and
		// jumps to the next timer when the guest waits.
		"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "qemu64", "-smp", "1", "-m", "1G",
		"-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
		"-kernel", kernel, "-initrd", initrd, "-append", commandLine,
		"-serial", "file:"+console, "-serial", "file:"+filepath.Join(dir, "wire"))
	for _, name := range []string{console, filepath.Join(dir, "wire")} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("qemu-system-x86_64: %w\n%s%s", err, stderr.Bytes(), tail(console))
	}
	r.Took = time.Since(r.When)
	r.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ran"), text, 0o644)
}

// qemuVersion is the number in what QEMU says of itself.
func qemuVersion(text string) string {
	const words = "version "
	_, version, _ := strings.Cut(text, words)
	version, _, _ = strings.Cut(version, " ")
	return strings.TrimSpace(version)
}

// readRan reads how the guest was run whose words are in the directory.
func readRan(dir string) (r ran, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "ran"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

// tail is the end of a file, for an error.
func tail(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return "the end of " + name + ":\n" + string(b[max(0, len(b)-2000):])
}
