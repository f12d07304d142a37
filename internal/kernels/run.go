package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// An answer is what came of one kernel.
type answer struct {
	kernel    *kernel
	judgement *judgement
	err       error

	dir    string // what is kept of the kernel
	files  *files
	guests []*guest
}

// A guest is one boot of a kernel. There are several, each with some of the
// suites, so that all processors have something to do to the end.
type guest struct {
	of     *answer
	dir    string
	suites []*suite
	err    error
}

// minutes is roughly how long the guest takes.
func (g *guest) minutes() (n float64) {
	for _, s := range g.suites {
		n += s.minutes
	}
	return n
}

// guests says how the suites of a kernel are divided.
func guests(k *kernel) (list [][]*suite) {
	for i := range suites {
		s := &suites[i]
		if k.Truth.Without && !s.bare {
			continue
		}
		for len(list) <= s.guest {
			list = append(list, nil)
		}
		list[s.guest] = append(list[s.guest], s)
	}
	return slices.DeleteFunc(list, func(l []*suite) bool { return l == nil })
}

// fetch begins to fetch all kernels, which is mostly waiting, and returns what is to
// come of them in order, and a function that waits for the last.
func (o *options) fetch(ctx context.Context, list []*kernel) (all []*answer, wait func()) {
	var fetching sync.WaitGroup
	for _, k := range list {
		a := &answer{kernel: k, dir: filepath.Join(o.cache, k.Suite)}
		all = append(all, a)
		fetching.Go(func() { a.files, a.err = fetch(ctx, a.dir, k.Suite, o.mirror, o.update) })
	}
	return all, fetching.Wait
}

// each does all kernels that were fetched, several guests at a time.
func (o *options) each(ctx context.Context, all []*answer, root, bin string) {
	var todo []*guest
	for _, a := range all {
		if a.err != nil {
			continue
		}
		for _, s := range guests(a.kernel) {
			a.guests = append(a.guests, &guest{of: a, dir: filepath.Join(a.dir, "guest-"+s[0].name), suites: s})
		}
		todo = append(todo, a.guests...)
	}
	if !o.reuse {
		o.boot(ctx, todo, root, bin)
	}
	for _, a := range all {
		if a.err == nil {
			a.judgement, a.err = a.judge()
		}
	}
}

// boot runs guests, those first that take long. What others have said before them is
// forgotten: a kernel is not judged by guests of several runs.
func (o *options) boot(ctx context.Context, list []*guest, root, bin string) {
	for _, g := range list {
		if err := os.RemoveAll(g.dir); err != nil {
			g.err = err
			return
		}
	}
	slices.SortStableFunc(list, func(a, b *guest) int { return cmp.Compare(b.minutes(), a.minutes()) })
	free := make(chan struct{}, max(1, o.jobs))
	var wg sync.WaitGroup
	for _, g := range list {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if g.err = ctx.Err(); g.err != nil {
				return
			}
			initrd := filepath.Join(g.dir, "initrd")
			if g.err = os.MkdirAll(g.dir, 0o777); g.err == nil {
				g.err = image(initrd, root, bin, g.suites, g.of.files)
			}
			if g.err == nil {
				g.err = boot(ctx, g.dir, g.of.files.image, initrd)
			}
		})
	}
	wg.Wait()
}

// judge puts together what the guests of a kernel have said, and judges it.
func (a *answer) judge() (*judgement, error) {
	var all *transcript
	var when ran
	var errs []error
	for _, g := range a.guests {
		said, r, err := g.result()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Base(g.dir), err))
			continue
		}
		all, when = all.and(said), when.and(r)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	j := judge(a.kernel, a.files, all)
	j.ran = when
	return j, nil
}

// result reads what the guest has said, and how it was run.
func (g *guest) result() (*transcript, ran, error) {
	if g.err != nil {
		return nil, ran{}, g.err
	}
	f, err := os.Open(filepath.Join(g.dir, "wire"))
	if err != nil {
		return nil, ran{}, err
	}
	defer f.Close()
	r, err := readRan(g.dir)
	return parse(f), r, err
}
