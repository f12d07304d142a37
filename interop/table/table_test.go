package table

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const document = "../../docs/interop.md"

var write = flag.Bool("write", false, "write docs/interop.md")

// TestPage checks that docs/interop.md is what the results say.
func TestPage(t *testing.T) {
	all, err := read()
	if err != nil {
		t.Fatal(err)
	}
	want := page(all)
	if *write {
		if err := os.WriteFile(document, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/interop.md is not what the results say: go test ./table -write")
	}
	for line := range strings.Lines(string(want)) {
		if len([]rune(line)) > 140 && !strings.HasPrefix(line, "|") {
			t.Errorf("a long line: %s", line)
		}
	}
}

// TestComplete checks that each test has a result, and each result a test.
func TestComplete(t *testing.T) {
	all, err := read()
	if err != nil {
		t.Fatal(err)
	}
	recorded := make(map[string]bool)
	for _, r := range all {
		if recorded[r.Program] {
			t.Errorf("two results of %s", r.Program)
		}
		recorded[r.Program], recorded[r.Test] = true, true
	}
	names := tests(t)
	for name := range names {
		if !recorded[name] {
			t.Errorf("%s (%s) has no result: INTEROP_RECORD=1 go test ./...", name, names[name])
		}
	}
	for _, r := range all {
		if names[r.Test] == "" {
			t.Errorf("there is a result of %s, and no such test", r.Test)
		}
	}
}

// tests finds the tests of programs, and the directory of each.
func tests(t *testing.T) map[string]string {
	files, err := filepath.Glob("../*/*_linux_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				if found[f.Name.Name] != "" {
					t.Errorf("two tests are called %s", f.Name.Name)
				}
				found[f.Name.Name] = filepath.Base(filepath.Dir(name))
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no tests in %v", files)
	}
	return found
}
