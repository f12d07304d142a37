package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// defaultMirror is used where apt's own configuration names none of Debian's.
const defaultMirror = "http://deb.debian.org/debian/"

// oldMirror has the suites that mirrors no longer have, as they last were.
const oldMirror = "http://archive.debian.org/debian/"

// keyring is where Debian's packages of the same name keep their keys.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// modules are those that the tests need, if this kernel has them as modules, in
// an order in which they can be loaded.
var modules = []string{
	"net/ipv4/inet_diag", "net/ipv4/tcp_diag", "net/mptcp/mptcp_diag", // why connections fell back
	"drivers/net/veth", "net/sched/sch_tbf", // links of package mptcptest
	"net/llc/llc", "net/802/stp", "net/bridge/bridge", "drivers/net/ifb", // interfaces that are no paths
	"net/ipv4/tcp_bbr", // package transport leaves it
}

// files are what is used of a kernel's packages.
type files struct {
	version string // of the package
	image   string
	modules []string // in the order of loading
}

// An apt is Debian's archive as of one suite, with a state of its own.
type apt struct{ dir, suite, config string }

// mirror asks apt where this machine has Debian from.
func mirror(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)",
		"Created-By: Packages", "Origin: Debian", "Label: Debian").Output()
	if first, _, _ := strings.Cut(string(out), "\n"); err == nil && first != "" {
		return first
	}
	return defaultMirror
}

// newAPT prepares a directory that apt-get can do without the machine's state.
func newAPT(dir, suite, mirror string) (*apt, error) {
	a := &apt{dir: dir, suite: suite, config: filepath.Join(dir, "apt.conf")}
	for _, d := range []string{"lists/partial", "cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	sources := filepath.Join(dir, "sources.list")
	options := "arch=amd64 signed-by=" + keyring
	if mirror == oldMirror {
		options += " check-valid-until=no" // nobody signs it anew
	}
	if err := os.WriteFile(sources, fmt.Appendf(nil, "deb [%s] %s %s main\n", options, mirror, suite), 0o644); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`
Dir::State %q;
Dir::State::status "/dev/null";
Dir::Cache %q;
Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
Acquire::IndexTargets { deb::DEP-11 { DefaultEnabled "false"; }; deb::Contents-deb { DefaultEnabled "false"; }; };
APT::Architecture "amd64";
APT::Sandbox::User "";
`, dir, filepath.Join(dir, "cache"), sources)
	return a, os.WriteFile(a.config, []byte(config), 0o644)
}

// run runs a program of apt.
func (a *apt) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.config, "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s of Debian %s: %w\n%s", cmd, a.suite, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

var (
	imagePackage = regexp.MustCompile(`\blinux-image-[0-9][^ ,]*-cloud-amd64\b`)
	partPackage  = regexp.MustCompile(`\blinux-(?:binary|modules)-[0-9][^ ,]*-cloud-amd64\b`)
	versionLine  = regexp.MustCompile(`(?m)^Version: (.*)$`)
)

// packages names those of the suite's newest kernel. From 7.0 on, the image is
// in two packages that the one of the image depends on.
func (a *apt) packages(ctx context.Context) (names []string, version string, err error) {
	meta, err := a.run(ctx, a.dir, "apt-cache", "show", "linux-image-cloud-amd64")
	if err != nil {
		return nil, "", err
	}
	image, v := imagePackage.FindString(meta), versionLine.FindStringSubmatch(meta)
	if image == "" || v == nil {
		return nil, "", fmt.Errorf("debian %s: linux-image-cloud-amd64 depends on no kernel:\n%s", a.suite, meta)
	}
	show, err := a.run(ctx, a.dir, "apt-cache", "show", image)
	if err != nil {
		return nil, "", err
	}
	return append(slices.Compact(slices.Sorted(slices.Values(partPackage.FindAllString(show, -1)))), image), v[1], nil
}

// latest reads the lists of the suite from the first of the mirrors that has
// it.
func latest(ctx context.Context, dir, suite string, mirrors ...string) (*apt, error) {
	var errs []error
	for _, m := range mirrors {
		a, err := newAPT(dir, suite, m)
		if err != nil {
			return nil, err
		}
		if _, err = a.run(ctx, dir, "apt-get", "update", "--error-on=any", "-q"); err == nil {
			return a, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// fetch returns the files of the suite's newest kernel, from the cache if they
// are there. Without update it does not ask whether there is a newer one, if
// there is any.
func fetch(ctx context.Context, dir, suite, mirror string, update bool) (*files, error) {
	a, err := newAPT(dir, suite, mirror)
	if err != nil {
		return nil, err
	}
	names, version, err := a.packages(ctx)
	if err != nil || update {
		if a, err = latest(ctx, dir, suite, mirror, oldMirror); err != nil {
			return nil, err
		}
		if names, version, err = a.packages(ctx); err != nil {
			return nil, err
		}
	}
	out := filepath.Join(dir, version)
	if f, err := cached(out); err == nil {
		f.version = version
		return f, nil
	}
	debs := filepath.Join(dir, "debs")
	if _, err := a.run(ctx, debs, "apt-get", append([]string{"download", "-q"}, names...)...); err != nil {
		return nil, err
	}
	defer os.RemoveAll(debs) //nolint:errcheck // a cache
	list, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return nil, err
	}
	tmp := out + ".new"
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return nil, err
	}
	for _, deb := range list {
		if err := unpack(ctx, deb, tmp); err != nil {
			return nil, fmt.Errorf("%s: %w", deb, err)
		}
	}
	if err := os.Rename(tmp, out); err != nil {
		return nil, err
	}
	f, err := cached(out)
	if err != nil {
		return nil, fmt.Errorf("debian %s, packages %s: %w", suite, strings.Join(names, ", "), err)
	}
	f.version = version
	return f, nil
}

// cached looks for the files in a directory that unpack has filled.
func cached(dir string) (*files, error) {
	f := &files{image: filepath.Join(dir, "vmlinuz")}
	if _, err := os.Stat(f.image); err != nil {
		return nil, err
	}
	for _, m := range modules {
		list, err := filepath.Glob(filepath.Join(dir, path.Base(m)+".ko*"))
		if err != nil {
			return nil, err
		}
		f.modules = append(f.modules, list...)
	}
	return f, nil
}

// unpack takes what is needed out of a package.
func unpack(ctx context.Context, deb, dir string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = unpackTar(out, dir)
	if wait := cmd.Wait(); err == nil && wait != nil {
		err = fmt.Errorf("%s: %w\n%s", cmd, wait, stderr.Bytes())
	}
	return err
}

func unpackTar(r io.Reader, dir string) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := wanted(h)
		if name == "" {
			continue
		}
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// wanted is the name that a file of a package is kept under, empty if it is not.
func wanted(h *tar.Header) string {
	if h.Typeflag != tar.TypeReg {
		return ""
	}
	base := path.Base(h.Name)
	if base == "vmlinuz" || strings.HasPrefix(base, "vmlinuz-") {
		return "vmlinuz"
	}
	name, _, ok := strings.Cut(base, ".ko")
	for _, m := range modules {
		if ok && path.Base(m) == name && strings.Contains(h.Name, "/kernel/"+m+".ko") {
			return base
		}
	}
	return ""
}
