// Command typecheck checks that the packages that match its arguments, and their
// tests, compile for other systems, from source: nothing is compiled, neither
// they nor what they import, of which only the declarations are looked at. That
// takes seconds, where a compiler takes minutes.
//
//	typecheck darwin/arm64 linux/s390x -- ./...
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/packages"
)

func main() {
	i := slices.Index(os.Args, "--")
	if i < 2 {
		fmt.Fprintln(os.Stderr, "usage: typecheck goos/goarch... -- package...")
		os.Exit(2)
	}
	status := 0
	for _, target := range os.Args[1:i] {
		start := time.Now()
		n, failed, err := check(target, os.Args[i+1:])
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "%s: %v\n", target, err)
			status = 1
		case failed > 0:
			fmt.Fprintf(os.Stderr, "%s: %d errors\n", target, failed)
			status = 1
		default:
			fmt.Printf("%s: %d packages in %.0f s\n", target, n, time.Since(start).Seconds())
		}
	}
	os.Exit(status)
}

// check returns how many packages were checked, of this module and of others,
// and how many errors there were.
func check(target string, patterns []string) (n, failed int, err error) {
	goos, goarch, ok := strings.Cut(target, "/")
	if !ok {
		return 0, 0, fmt.Errorf("want goos/goarch")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return 0, 0, err
	}
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedModule,
		Env:   append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0"),
		Tests: true,
		ParseFile: func(files *token.FileSet, name string, src []byte) (*ast.File, error) {
			f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution|parser.ParseComments)
			if f != nil && !strings.HasPrefix(name, here+string(filepath.Separator)) {
				withoutBodies(f)
			}
			return f, err
		},
	}
	roots, err := packages.Load(config, patterns...)
	if err != nil {
		return 0, 0, err
	}
	packages.Visit(roots, nil, func(p *packages.Package) {
		n++
		for _, err := range p.Errors {
			if err.Kind == packages.TypeError && (p.Module == nil || !p.Module.Main || strings.HasSuffix(p.ID, ".test")) {
				continue // such as an import of which only a body makes use
			}
			fmt.Fprintln(os.Stderr, err)
			failed++
		}
	})
	if len(roots) == 0 {
		return 0, 0, fmt.Errorf("no packages match %q", patterns)
	}
	return n, failed, nil
}

// withoutBodies leaves the declarations of functions.
func withoutBodies(f *ast.File) {
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok {
			d.Body = nil
		}
	}
}
