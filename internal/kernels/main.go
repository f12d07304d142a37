package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp/internal/recorded"
)

// table is where the answers are written, relative to the module.
const table = "docs/kernel-runs.md"

type options struct {
	write, record, reuse, update bool

	jobs          int
	cache, mirror string
	series        []string
}

func main() {
	var o options
	flag.BoolVar(&o.write, "write", false, "write "+table+", if all is right")
	flag.BoolVar(&o.record, "record", false, "write "+recorded.Dir+", from these kernels and this machine's, if all is right")
	flag.BoolVar(&o.reuse, "reuse", false, "judge what the guests said last time, and run none")
	flag.BoolVar(&o.update, "update", false, "look for newer kernels, if there are some in the cache")
	flag.IntVar(&o.jobs, "j", runtime.GOMAXPROCS(0), "how many guests run at a time; each takes one processor and 1 GiB")
	flag.StringVar(&o.cache, "cache", "", "directory for kernels and transcripts (default: in the user's cache directory)")
	flag.StringVar(&o.mirror, "mirror", "", "of Debian (default: the one of this machine's apt, or "+defaultMirror+")")
	flag.Parse()
	o.series = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := o.run(ctx, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

// run says whether everything was right.
func (o *options) run(ctx context.Context, out io.Writer) (bool, error) {
	chosen, err := choose(o.series)
	if err != nil {
		return false, err
	}
	if (o.write || o.record) && len(chosen) < len(kernels) {
		return false, errors.New("-write and -record need all kernels")
	}
	if err := missing(o.reuse); err != nil {
		return false, err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return false, err
	}
	if o.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return false, err
		}
		o.cache = filepath.Join(base, "mptcp-kernels")
	}
	bin := filepath.Join(o.cache, "bin")
	start := time.Now()
	if o.mirror == "" {
		o.mirror = mirror(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, fetched := o.fetch(ctx, chosen)
	if !o.reuse {
		if err := build(ctx, root, bin); err != nil {
			cancel()
			fetched()
			return false, err
		}
	}
	fetched()
	fmt.Fprintf(out, "ready after %v\n", time.Since(start).Round(time.Second))
	o.each(ctx, all, root, bin)
	ok := true
	var list []*judgement
	for _, r := range all {
		if r.err != nil {
			fmt.Fprintf(out, "\n%s: %v\n", r.kernel.Series, r.err)
			ok = false
			continue
		}
		ok = ok && len(r.judgement.wrong) == 0
		list = append(list, r.judgement)
		r.judgement.report(out)
	}
	fmt.Fprintf(out, "\n%d kernels in %v\n", len(chosen), time.Since(start).Round(time.Second))
	if o.write && ok {
		err = os.WriteFile(filepath.Join(root, table), []byte(document(list)), 0o666)
	}
	if o.record && ok {
		err = errors.Join(err, keep(ctx, filepath.Join(root, recorded.Dir), filepath.Join(bin, survey), list))
	}
	return ok, err
}

// choose finds the kernels of the series that were named, all if none was.
func choose(series []string) ([]*kernel, error) {
	for _, s := range series {
		if !slices.ContainsFunc(kernels, func(k kernel) bool { return k.called(s) }) {
			return nil, fmt.Errorf("no kernel %q: there are %s", s, known())
		}
	}
	var list []*kernel
	for i := range kernels {
		if len(series) == 0 || slices.ContainsFunc(series, kernels[i].called) {
			list = append(list, &kernels[i])
		}
	}
	return list, nil
}

func known() string {
	var names []string
	for _, k := range kernels {
		names = append(names, k.Series+" ("+k.Suite+")")
	}
	return strings.Join(names, ", ")
}

// missing says which programs are not installed.
func missing(reuse bool) error {
	var errs []error
	for _, p := range []struct{ program, pkg string }{
		{"qemu-system-x86_64", "qemu-system-x86"}, {"apt-get", "apt"}, {"dpkg-deb", "dpkg"}, {"ip", "iproute2"}, {"ss", "iproute2"},
	} {
		if _, err := exec.LookPath(p.program); err != nil && !reuse {
			errs = append(errs, fmt.Errorf("%w: apt-get install --no-install-recommends %s", err, p.pkg))
		}
	}
	if _, err := os.Stat(keyring); err != nil && !reuse {
		errs = append(errs, fmt.Errorf("%w: apt-get install debian-archive-keyring", err))
	}
	return errors.Join(errs...)
}

// moduleRoot is the directory of the module that the command is run in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("finding module %s: %w: run it in the module", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// report writes what came of a kernel for a person.
func (j *judgement) report(out io.Writer) {
	differ := 0
	for _, tests := range j.differ {
		differ += len(tests)
	}
	fmt.Fprintf(out, "\n%s, Debian %s %s: %d tests passed, %d of %d cells of the fault matrix, %d differ as they should, %d wrong; %v, of which the processor's %v\n",
		j.said.Kernel, j.kernel.Suite, j.files.version, j.passed, j.ok, j.cells, differ, len(j.wrong), j.ran.Took.Round(time.Second), j.ran.CPU.Round(time.Second))
	for _, w := range j.wrong {
		fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(w, "\n", "\n      "))
	}
}
