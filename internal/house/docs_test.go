package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An export is an exported name that users can reach.
type export struct {
	pkg, name string // name has the receiver's type before it: "Dialer.Dial"
	pos       token.Position
	doc       bool
}

// exports lists the exported types, functions, methods, constants, variables
// and struct fields of the packages that users import.
func exports(t *testing.T) []export {
	t.Helper()
	fset := token.NewFileSet()
	var all []export
	for _, s := range sources(t) {
		if s.test || s.in("internal", "cmd", "examples") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(root, s.file), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		add := func(n ast.Node, prefix, name string, docs ...*ast.CommentGroup) {
			if !ast.IsExported(name) || prefix != "" && !ast.IsExported(prefix) {
				return
			}
			e := export{pkg: f.Name.Name, name: name, pos: fset.Position(n.Pos())}
			if prefix != "" {
				e.name = prefix + "." + name
			}
			for _, d := range docs {
				e.doc = e.doc || d.Text() != ""
			}
			all = append(all, e)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				prefix := ""
				if d.Recv != nil {
					prefix = receiver(d)
				}
				add(d, prefix, d.Name.Name, d.Doc)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add(spec, "", spec.Name.Name, spec.Doc, spec.Comment, d.Doc)
						st, ok := spec.Type.(*ast.StructType)
						if !ok {
							continue
						}
						for _, field := range st.Fields.List {
							for _, name := range field.Names {
								// A comment may be for several fields, and some need none.
								add(field, spec.Name.Name, name.Name, d.Doc, spec.Doc)
							}
						}
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							add(spec, "", name.Name, spec.Doc, spec.Comment, d.Doc)
						}
					}
				}
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no exported names")
	}
	return all
}

// TestDocComments checks that every exported name has a comment. The form of
// comments is the linter's business.
func TestDocComments(t *testing.T) {
	for _, e := range exports(t) {
		if !e.doc {
			t.Errorf("%s: %s has no comment", e.pos, e.name)
		}
	}
}

// TestNamesInDocuments checks that what the documents name as package.Name
// exists.
func TestNamesInDocuments(t *testing.T) {
	known, packages := make(map[string]bool), make(map[string]bool)
	for _, e := range exports(t) {
		known[e.pkg+"."+e.name], packages[e.pkg] = true, true
	}
	files, err := filepath.Glob(root + "/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	names := regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range names.FindAllStringSubmatch(string(text), -1) {
			if packages[m[1]] && !known[m[0]] {
				t.Errorf("%s: there is no %s", filepath.Base(file), m[0])
			}
		}
	}
}

// TestExampleIsShort checks that the test to be copied can be read at a glance.
func TestExampleIsShort(t *testing.T) {
	const file = "/examples/labtest/handover_linux_test.go"
	text, err := os.ReadFile(root + file)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		lines++
		if len(line) > 130 {
			t.Errorf("%s:%d has %d bytes", file, lines, len(line))
		}
	}
	if lines >= 60 {
		t.Errorf("%s has %d lines", file, lines)
	}
}

// receiver returns the name of a method's receiver type.
func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}
