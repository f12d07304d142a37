package scene

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Result is a row of the table in docs/interop.md.
type Result struct {
	Program string
	Version string
	Us      string        // which of its ends were this module's
	Outcome string        // the status
	Gap     time.Duration // the longest exchange after the loss of the first path; zero if none was lost
	Test    string        // that found it

	Kernel, Go string // versions
	Month      string // such as "November 2026"
}

// Month is the layout of Result.Month.
const Month = "January 2006"

// EnvRecord is the environment variable that, if it is not empty, has results
// written into the directory Results.
const EnvRecord = "INTEROP_RECORD"

// Results is where results are, for a package in the module's root directory.
const Results = "../results"

func record(t testing.TB, r Result) {
	t.Helper()
	r.Test = t.Name()
	r.Kernel, r.Go, r.Month = kernel(t), strings.TrimPrefix(runtime.Version(), "go"), time.Now().UTC().Format(Month)
	t.Logf("%+v", r)
	file := filepath.Join(Results, r.Test+".json")
	if os.Getenv(EnvRecord) == "" {
		r.compare(t, file)
		return
	}
	r.Gap = r.Gap.Round(10 * time.Millisecond)
	b, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(file, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Errorf("the result cannot be recorded: %v", err)
	}
}

// compare checks that what was recorded is of the same. Versions of Debian's
// packages change by themselves, those of modules do not.
func (r Result) compare(t testing.TB, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("the row of the table: %v: %s=1 go test", err, EnvRecord)
		return
	}
	var old Result
	if err := json.Unmarshal(b, &old); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if old.Program != r.Program || old.Us != r.Us || old.Outcome != r.Outcome || modules(old.Version) != modules(r.Version) {
		t.Errorf("the table says %s %s, %s, %s; it was %s %s, %s, %s: %s=1 go test",
			old.Program, old.Version, old.Us, old.Outcome, r.Program, r.Version, r.Us, r.Outcome, EnvRecord)
	}
}

// modules are the versions of Go modules in the text of a version.
func modules(version string) string {
	parts := strings.Split(version, ", ")
	return strings.Join(slices.DeleteFunc(parts, func(v string) bool { return !strings.HasPrefix(v, "v") }), ", ")
}

func kernel(t testing.TB) string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(b))
}

// ModuleVersion is the version of a Go module that go.mod requires.
func ModuleVersion(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(strings.TrimPrefix(line, "require ")); len(f) >= 2 && f[0] == path {
			return f[1]
		}
	}
	t.Fatalf("go.mod does not require %s", path)
	return ""
}
