package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

const module = "github.com/multipath-go/mptcp"

// A suite is a test binary, or the survey.
type suite struct {
	name    string
	dir     string        // of the package, relative to the module
	timeout time.Duration // of the guest's clock: for the survey, or for each test
	bare    bool          // run on a kernel without Multipath TCP as well
	short   bool          // with -test.short
	skip    string        // tests that are left out: a regular expression
	why     string        // they are

	guest   int     // which one of a kernel's runs it
	minutes float64 // of processor time that it takes, roughly
}

// path is what the package is called in documents.
func (s *suite) path() string {
	if s.dir == "." {
		return "mptcp"
	}
	return s.dir
}

// survey is the name of the suite that is no test binary.
const survey = "survey"

var suites = []suite{
	{name: survey, dir: "internal/kernels/survey", timeout: 10 * time.Minute, bare: true, minutes: 0.9},
	{name: "root", dir: ".", timeout: time.Minute, bare: true, minutes: 0.1},
	{
		name: "transport", dir: "transport", timeout: 10 * time.Minute, bare: true, short: true, guest: 2, minutes: 1,
		skip: "^(TestInherit|TestSize)$", why: "TestSize makes 10,000 connections, to see what they take, and TestInherit needs a shell",
	},
	{
		name: "pathmanager", dir: "pathmanager", timeout: time.Minute, guest: 1, minutes: 1.2,
		skip: "^(TestFlood|TestOverflow)$", why: "they make 10,000 connections, to see how fast events are read",
	},
}

// build builds everything that goes into guests, for all kernels at once:
// static, so that the guest needs no library.
func build(ctx context.Context, root, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		return nil
	}
	if err := run("build", "-ldflags=-s -w", "-o", bin+"/", "./internal/kernels/guest", "./internal/kernels/survey"); err != nil {
		return err
	}
	for _, s := range suites {
		if s.name == survey {
			continue
		}
		if err := run("test", "-c", "-ldflags=-s -w", "-o", filepath.Join(bin, s.name), "./"+s.dir); err != nil {
			return err
		}
	}
	return nil
}

// image writes the first root file system of a guest that runs these suites.
func image(name, root, bin string, some []*suite, f *files) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	w := newWriter(out)
	c := newCPIO(w)
	add := func(name, source string, perm uint32) {
		if err == nil {
			err = addFile(c, name, source, perm)
		}
	}
	plan := wire.Plan{}
	err = errors.Join(c.device("dev/console", 0o600, 5, 1), c.device("dev/null", 0o666, 1, 3))
	add("init", filepath.Join(bin, "guest"), 0o755)
	for _, m := range f.modules {
		add("modules/"+filepath.Base(m), m, 0o644)
		plan.Modules = append(plan.Modules, "/modules/"+filepath.Base(m))
	}
	for _, s := range some {
		add("bin/"+s.name, filepath.Join(bin, s.name), 0o755)
		err = errors.Join(err, testdata(c, root, s.dir))
		run := wire.Run{
			Name: s.name, Path: "/bin/" + s.name, Dir: path.Join("/src", s.dir), Timeout: s.timeout,
			Env: []string{"MPTCPTEST_REQUIRE=1"},
		}
		if s.name != survey {
			run.Args = []string{"-test.v=test2json", "-test.timeout=" + s.timeout.String(), fmt.Sprint("-test.short=", s.short)}
			run.Timeout, run.Each, run.Skip = s.timeout+10*time.Second, true, s.skip
		}
		plan.Runs = append(plan.Runs, run)
	}
	if err == nil {
		err = hostPrograms(c, programs...)
	}
	text, jsonErr := json.Marshal(plan)
	const hosts, protocols = "127.0.0.1 localhost\n::1 localhost\n", "tcp 6 TCP\nudp 17 UDP\n"
	err = errors.Join(err, jsonErr,
		c.file("plan.json", 0o644, int64(len(text)), bytes.NewReader(text)),
		c.file("etc/hosts", 0o644, int64(len(hosts)), strings.NewReader(hosts)),
		c.file("etc/protocols", 0o644, int64(len(protocols)), strings.NewReader(protocols)),
		c.close())
	return errors.Join(err, w.Flush(), out.Close())
}

func addFile(c *cpio, name, source string, perm uint32) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return c.file(name, perm, st.Size(), f)
}

// testdata adds a package's, and its directory.
func testdata(c *cpio, root, dir string) error {
	c.dir(path.Join("src", dir))
	base := filepath.Join(root, dir, "testdata")
	err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return addFile(c, path.Join("src", filepath.ToSlash(rel)), name, 0o644)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// libraries are where the host has them. The guest finds them by the same names.
var libraries = []string{
	"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
}

// programs are those of the host's that the guest has: some tests of package
// pathmanager look at the kernel through ip(8) and ss(8), and need a process of
// somebody else's.
var programs = []string{"ip", "ss", "sleep"}

// hostPrograms adds programs of the host's to /bin, with their libraries.
func hostPrograms(c *cpio, names ...string) error {
	var done []string
	for _, name := range names {
		file, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		if err := addFile(c, "bin/"+name, file, 0o755); err != nil {
			return err
		}
		for todo := []string{file}; len(todo) > 0; todo = todo[1:] {
			needs, err := needed(todo[0])
			if err != nil {
				return fmt.Errorf("%s: %w", todo[0], err)
			}
			for _, lib := range needs {
				if slices.Contains(done, lib) {
					continue
				}
				done = append(done, lib)
				if err := addFile(c, strings.TrimPrefix(lib, "/"), lib, 0o755); err != nil {
					return err
				}
				todo = append(todo, lib)
			}
		}
	}
	return nil
}

// needed lists the libraries and the interpreter of an ELF file.
func needed(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read
	var list []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				return nil, err
			}
			list = append(list, string(bytes.TrimRight(b, "\x00")))
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(libraries, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		})
		if i < 0 {
			return nil, fmt.Errorf("%s is in none of %s", name, strings.Join(libraries, ", "))
		}
		list = append(list, filepath.Join(libraries[i], name))
	}
	return list, nil
}
