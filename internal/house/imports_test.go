package house

import (
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/multipath-go/mptcp"

// root is the directory of the module.
const root = "../.."

// A source is one Go file of the module.
type source struct {
	file    string // slash-separated, relative to the module
	dir     string // its package: "." for the root
	test    bool
	linux   bool // built on Linux only
	imports []string
}

// in says whether the file is in one of the directories or below it.
func (s *source) in(dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return s.dir == dir || strings.HasPrefix(s.dir, dir+"/")
	})
}

// sources parses the Go files of the module, those of every system, and not
// those of modules within it.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			nested, _ := filepath.Glob(filepath.Join(name, "go.mod"))
			base := d.Name()
			if rel != "." && (nested != nil || base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		s := &source{file: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go")}
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(rel), ".go"), "_test")
		s.linux = strings.HasSuffix(stem, "_linux") || strings.Contains(stem, "_linux_")
		for _, group := range f.Comments {
			for _, c := range group.List {
				if !constraint.IsGoBuild(c.Text) || c.Pos() > f.Package {
					continue
				}
				x, err := constraint.Parse(c.Text)
				if err != nil {
					return err
				}
				elsewhere := func(tag string) bool { return tag != "linux" }
				s.linux = s.linux || !x.Eval(elsewhere)
			}
		}
		for _, spec := range f.Imports {
			s.imports = append(s.imports, strings.Trim(spec.Path.Value, `"`))
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files")
	}
	return all
}

func under(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }

func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}

// wholes are the packages that test the module as a whole.
var wholes = []string{"internal/house", "internal/faultmatrix", "internal/handover", "internal/hostile", "bench"}

// TestImports holds the rules for single files.
func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, pkg := range s.imports {
			switch {
			case pkg == "unsafe" && !s.in("internal/sockopt"):
				t.Errorf("%s imports unsafe, which only internal/sockopt may", s.file)
			case pkg == "golang.org/x/sys/unix" && !s.linux:
				t.Errorf("%s imports %s, which only files for Linux may", s.file, pkg)
			case under(pkg, "google.golang.org/grpc") && !s.in("grpcdialer", "examples") && !s.in(wholes...):
				t.Errorf("%s imports %s, which only grpcdialer, examples and tests of the whole may", s.file, pkg)
			case pkg == "testing" && !s.test && !s.in("mptcptest"):
				t.Errorf("%s imports testing, which only tests and mptcptest may", s.file)
			}
		}
	}
}

// rooms are the packages in the order in which they may import each other: a
// package may import those of lower numbers. A package that is not listed must
// be added here, so that somebody has thought of where it belongs.
var rooms = map[string]int{
	"internal/sockopt":     0,
	"internal/conntable":   0,
	"internal/mptcpinfo":   0,
	"internal/mallocs":     0,
	"internal/recorded":    0,
	".":                    1,
	"pathmanager":          2,
	"transport":            3,
	"mptcptest":            3,
	"internal/statustext":  3,
	"internal/recent":      3,
	"grpcdialer":           4,
	"httptransport":        4,
	"metrics":              4,
	"mptcpz":               4,
	"cmd":                  5,
	"examples":             5,
	"internal/faultmatrix": 5,
	"internal/handover":    5,
	"internal/hostile":     5,
	"internal/kernels":     6,
}

func room(dir string) (name string, level int, ok bool) {
	for {
		if level, ok := rooms[dir]; ok || dir == "." {
			return dir, level, ok
		}
		if parent := path.Dir(dir); parent != "." {
			dir = parent
			continue
		}
		return dir, 0, false
	}
}

// TestDirection checks that the code, tests apart, depends on what is below
// it only, whatever the system.
func TestDirection(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.in("internal/house") {
			continue
		}
		from, level, ok := room(s.dir)
		if !ok {
			t.Errorf("%s: package %s has no place in rooms", s.file, s.dir)
			continue
		}
		for _, pkg := range s.imports {
			if !under(pkg, module) {
				continue
			}
			dir := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
			if dir == "" {
				dir = "."
			}
			to, below, ok := room(dir)
			switch {
			case !ok:
				t.Errorf("%s imports %s, which has no place in rooms", s.file, pkg)
			case from != to && below >= level:
				t.Errorf("%s imports %s, which is not below %s", s.file, pkg, from)
			}
		}
	}
}

// TestRootGraph checks that the root package brings nothing along but the
// standard library, x/sys and packages of this module, whatever the system.
func TestRootGraph(t *testing.T) {
	imports := make(map[string]map[string]string) // package -> import -> file
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		pkg := path.Join(module, s.dir)
		if imports[pkg] == nil {
			imports[pkg] = make(map[string]string)
		}
		for _, i := range s.imports {
			imports[pkg][i] = s.file
		}
	}
	seen := map[string]bool{module: true}
	for todo := []string{module}; len(todo) > 0; todo = todo[1:] {
		for _, pkg := range slices.Sorted(maps.Keys(imports[todo[0]])) {
			switch {
			case standard(pkg), under(pkg, "golang.org/x/sys"):
			case !under(pkg, module):
				t.Errorf("%s brings %s into the root package", imports[todo[0]][pkg], pkg)
			case !seen[pkg]:
				seen[pkg] = true
				todo = append(todo, pkg)
			}
		}
	}
}
