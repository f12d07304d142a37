package pathmanager

import (
	"os"
	"runtime"
)

func (c Config) plan(ns *os.File) (*Plan, error) {
	if _, err := c.checked(); err != nil {
		return nil, err
	}
	if err := inside(ns, effective); err != nil {
		return nil, err
	}
	return c.with(ns, func(k *kernel) (*Plan, error) { return k.plan(c, outlook{notes: others(ns)}) })
}

func (c Config) removal(ns *os.File) (*Plan, error) {
	return c.with(ns, func(k *kernel) (*Plan, error) { return k.removal(c) })
}

func (c Config) with(ns *os.File, f func(k *kernel) (*Plan, error)) (*Plan, error) {
	k, err := openKernel(ns, nil)
	if err != nil {
		return nil, err
	}
	defer k.close()
	p, err := f(k)
	if p != nil {
		p.ns = ns
	}
	return p, err
}

func (p *Plan) apply() error {
	if len(p.Changes) == 0 {
		return nil
	}
	k, err := openKernel(p.ns, nil)
	if err != nil {
		return err
	}
	defer k.close()
	return k.apply(p.Changes)
}

// inside calls f on a thread in the network namespace.
func inside(ns *os.File, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return visit(ns, f)
}
