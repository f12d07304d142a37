package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/lab"
)

// labIn is "mptcp lab" in a directory, as this process sees it from
// inside a laboratory: the namespaces are those of the test.
func labIn(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{"lab"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), envCommand+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// TestLab runs the demonstration from the command line to the picture.
func TestLab(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := finish(t, labIn(t, dir, "--duration", "12s"))
	if o.status != exitOK || o.err != "" {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.err)
	}
	for _, part := range []string{"phone ── Wi-Fi", "Wi-Fi is cut", "Wi-Fi is back", "Multipath TCP went on by LTE after", "Picture: " + defaultPicture} {
		if !strings.Contains(o.out, part) {
			t.Errorf("nothing of %q in\n%s", part, o.out)
		}
	}
	if strings.Contains(o.out, "\x1b") {
		t.Error("escape sequences in what is no terminal")
	}
	picture, err := os.ReadFile(filepath.Join(dir, defaultPicture))
	if err != nil || !bytes.Contains(picture, []byte(lab.Marker)) || !bytes.HasSuffix(picture, []byte("</svg>\n")) {
		t.Errorf("%v, %d bytes", err, len(picture))
	}
}

// TestLabDocument: the picture of the README is one that the command draws: with
// other numbers, and otherwise the same to the letter.
func TestLabDocument(t *testing.T) {
	s := lab.Default
	r := &lab.Result{
		Script: s, CutAt: s.Cut, BackAt: s.Back,
		Samples: []lab.Sample{
			{}, {At: s.Cut, MPTCP: 3e6, First: 2e6, Second: 1e6},
			{At: s.Back, MPTCP: 9e6, First: 2e6, Second: 7e6}, {At: s.End, MPTCP: 12e6, First: 4e6, Second: 8e6},
		},
		TCP:   lab.Stream{Bytes: 2e6, Gap: s.Back - s.Cut + time.Second, GapAt: s.Cut},
		MPTCP: lab.Stream{Bytes: 12e6, Gap: time.Second, GapAt: s.Cut},
	}
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/lab.svg")
	if err != nil {
		t.Fatal(err)
	}
	steady := func(picture []byte) []string {
		picture = regexp.MustCompile(` d="[^"]*"`).ReplaceAll(picture, []byte(` d="PATH"`))
		picture = regexp.MustCompile(`\d+(\.\d+)?`).ReplaceAll(picture, []byte("N"))
		return strings.Split(string(picture), "\n")
	}
	want, got := steady(b.Bytes()), steady(document)
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Fatalf("docs/lab.svg is not what mptcp lab draws, from line %d on: go run ./cmd/mptcp lab --svg docs/lab.svg\n%q\n%q",
				i+1, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
		}
	}
}

// TestLabFile checks what becomes of files that are there already.
func TestLabFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, defaultPicture)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := finish(t, labIn(t, dir))
	if o.status != exitFailed || !strings.Contains(o.err, "--svg") || strings.Count(o.err, "\n") != 1 {
		t.Errorf("status %d\n%s", o.status, o.err)
	}
	if b, _ := os.ReadFile(file); string(b) != "mine" {
		t.Errorf("the file is now %q", b)
	}
	if o := finish(t, labIn(t, dir, "--svg", "not/there.svg")); o.status != exitFailed || !strings.Contains(o.err, "not/there.svg") {
		t.Errorf("status %d\n%s", o.status, o.err)
	}
	if o := finish(t, labIn(t, dir, "--duration", "2m")); o.status != exitUsage {
		t.Errorf("status %d\n%s", o.status, o.err)
	}
	// Interrupted, it says what was seen, and ends.
	cmd := labIn(t, dir, "--svg", "none")
	var out lockedBuffer
	cmd.Stdout = &out
	errs, wait := background(t, cmd)
	out.await(t, "1.0 s")
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := wait(); status != exitInterrupted || !strings.Contains(out.String(), "Nothing was cut") || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("status %d\n%s%s", status, &out, errs)
	}
}
