package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/manual"
)

var update = flag.Bool("update", false, "write docs/command.md and the golden files anew")

const document = "../../docs/command.md"

// TestDocument compares docs/command.md with the commands as they are.
func TestDocument(t *testing.T) {
	want := manual.Markdown(newRoot(), statuses)
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the commands say: go test ./cmd/mptcp -run TestDocument -update", document)
	}
}

// TestHelp checks that every command explains itself, in lines that fit.
func TestHelp(t *testing.T) {
	for _, c := range manual.Commands(newRoot()) {
		var out, errs bytes.Buffer
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		if status := run(args, nil, &out, &errs); status != exitOK || errs.Len() > 0 {
			t.Errorf("%q: status %d, %s", args, status, &errs)
		}
		for line := range strings.Lines(c.Long) {
			if len([]rune(line)) > 81 {
				t.Errorf("%q: a line of %d columns: %s", args, len([]rune(line))-1, line)
			}
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("%q: Short %q\n%s", args, c.Short, &out)
		}
	}
}

// TestMan writes the pages and, where there is man(1), has it check them.
func TestMan(t *testing.T) {
	dir := t.TempDir()
	var out, errs bytes.Buffer
	if status := run([]string{"man", dir}, nil, &out, &errs); status != exitOK {
		t.Fatalf("status %d: %s", status, &errs)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) != len(manual.Commands(newRoot())) || !strings.Contains(out.String(), "pages in") {
		t.Fatalf("%d pages: %v\n%s", len(pages), err, &out)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{".TH MPTCP", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH EXIT STATUS", ".SH SEE ALSO"} {
			if !strings.Contains(string(text), section) {
				t.Errorf("%s: no %s", page, section)
			}
		}
		for line := range strings.Lines(string(text)) {
			request, _, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
			if strings.HasPrefix(line, ".") && !strings.Contains(" .TH .SH .B .BR .PP .TP .nf .fi ", " "+request+" ") || strings.HasPrefix(line, "'") {
				t.Errorf("%s: text that roff takes for a request: %s", page, line)
			}
		}
		if man, err := exec.LookPath("man"); err == nil {
			cmd := exec.Command(man, "--warnings", "-l", page)
			cmd.Env = append(os.Environ(), "MANPAGER=cat", "LC_ALL=C.UTF-8")
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if out, err := cmd.Output(); err != nil || errs.Len() > 0 || !strings.Contains(string(out), "DESCRIPTION") {
				t.Errorf("%s: %v %s", page, err, &errs)
			}
		}
	}
}

// TestCompletion checks that every shell gets a script, and that what is typed
// is completed.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out, errs bytes.Buffer
		if status := run([]string{"completion", shell}, nil, &out, &errs); status != exitOK || out.Len() < 1000 {
			t.Errorf("%s: status %d: %s", shell, status, &errs)
		}
	}
	for _, typed := range []struct {
		args []string
		want []string
	}{
		{[]string{""}, []string{"lab", "doctor", "endpoints", "up"}},
		{[]string{"up", "--mode", ""}, []string{"handover", "interactive", "aggregate"}},
		{[]string{"endpoints", "add", "10.0.0.1", "b"}, []string{"backup"}},
		{[]string{"limits", "set", ""}, []string{"subflows", "add_addr_accepted"}},
		{[]string{"doctor", "--"}, []string{"--fix", "--json", "--yes"}},
	} {
		var out, errs bytes.Buffer
		if status := run(append([]string{"__complete"}, typed.args...), nil, &out, &errs); status != exitOK {
			t.Errorf("%q: status %d: %s", typed.args, status, &errs)
		}
		for _, want := range typed.want {
			if !strings.Contains("\n"+out.String(), "\n"+want) {
				t.Errorf("%q: no %q in\n%s", typed.args, want, &out)
			}
		}
	}
}

// TestUsage checks that a wrong command line gets one line and the way to the
// help, and the exit status 2.
func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"nothing"}, {"--nothing"}, {"doctor", "--nothing"}, {"doctor", "a:1", "b:2"}, {"lab", "x"}, {"dial"},
		{"dial", "host"}, {"dial", "h:1", "--tcp", "--require"}, {"dial", "h:1", "--from", "here"}, {"serve", "host"},
		{"serve", ":1", "--echo", "--discard"}, {"man"}, {"watch", "--interval", "1ns"}, {"doctor", "--fix", "--json"},
		{"up", "--mode", "x"}, {"up", "--dry-run", "--stay"},
	} {
		var out, errs bytes.Buffer
		status := run(args, nil, &out, &errs)
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if needs := " doctor lab watch up "; status == exitUnsupported && strings.Contains(needs, " "+args[0]+" ") {
			continue // on a system where there is nothing more to say
		}
		if status != exitUsage || out.Len() > 0 || len(lines) != 2 || !strings.HasPrefix(lines[0], "mptcp: ") || !strings.Contains(lines[1], "--help") {
			t.Errorf("%q: status %d\n%s%s", args, status, &out, &errs)
		}
	}
	var out, errs bytes.Buffer
	if status := run([]string{"man", "/does/not/exist"}, nil, &out, &errs); status != exitFailed || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("status %d\n%s%s", status, &out, &errs)
	}
	if status := run([]string{"--version"}, nil, &out, &errs); status != exitOK || !strings.HasPrefix(out.String(), "mptcp ") {
		t.Errorf("status %d\n%s", status, &out)
	}
}
