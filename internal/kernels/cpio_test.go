package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func archive(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	c := newCPIO(&b)
	if err := c.device("dev/console", 0o600, 5, 1); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"init": "#!/bin/sh\n", "a/b/c": "x", "a/empty": "", "a/even": "four"} {
		if err := c.file(name, 0o755, int64(len(text)), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCPIOLayout reads the archive back by the format's rules.
func TestCPIOLayout(t *testing.T) {
	b := archive(t)
	if len(b)%512 != 0 {
		t.Errorf("%d bytes, not a multiple of 512", len(b))
	}
	found := make(map[string]string)
	field := func(h []byte, i int) (n int) {
		for _, c := range h[6+8*i : 14+8*i] {
			n = n<<4 | strings.IndexByte("0123456789abcdef", c)
		}
		return n
	}
	inodes := make(map[int]bool)
	for at := 0; ; {
		h := b[at:]
		if string(h[:6]) != "070701" {
			t.Fatalf("at %d: %q", at, h[:6])
		}
		name := string(h[110 : 110+field(h, 11)-1])
		if name == trailer {
			break
		}
		if ino := field(h, 0); ino == 0 || inodes[ino] {
			t.Errorf("%s has inode %d, as another one", name, ino)
		} else {
			inodes[ino] = true
		}
		data := at + (110+len(name)+1+3)&^3
		found[name] = string(b[data : data+field(h, 6)])
		at = data + (field(h, 6)+3)&^3
		if mode := field(h, 1); name == "dev/console" && (mode != 0o020600 || field(h, 9) != 5 || field(h, 10) != 1) {
			t.Errorf("the console is %o %d:%d", mode, field(h, 9), field(h, 10))
		}
	}
	for name, want := range map[string]string{"init": "#!/bin/sh\n", "a": "", "a/b": "", "a/b/c": "x", "a/empty": "", "a/even": "four", "dev": ""} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, want)
		}
	}
}

// TestCPIOProgram has cpio(1) list the archive.
func TestCPIOProgram(t *testing.T) {
	program, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("no cpio(1) here; TestCPIOLayout has read the archive")
	}
	cmd := exec.Command(program, "--list", "--quiet", "--verbose", "--numeric-uid-gid")
	cmd.Stdin = bytes.NewReader(archive(t))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"crw-------", "5,   1", "-rwxr-xr-x", "drwxr-xr-x", " a/b/c\n", " a/empty\n", " init\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestCPIORefuses(t *testing.T) {
	for _, name := range []string{"/init", "a/../b", "..", "a//b", ""} {
		if err := newCPIO(new(bytes.Buffer)).file(name, 0o644, 0, strings.NewReader("")); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	if err := newCPIO(new(bytes.Buffer)).file("short", 0o644, 5, strings.NewReader("abc")); err == nil {
		t.Error("a file that is shorter than its size: no error")
	}
	if err := newCPIO(new(bytes.Buffer)).file("long", 0o644, 1<<32, strings.NewReader("")); err == nil {
		t.Error("a file of 4 GiB: no error")
	}
}
