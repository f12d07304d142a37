package pathmanager

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A step is a change that can be undone.
type step interface {
	do(*kernel) error
	undo(*kernel) error
}

// A toggle adds or removes something.
type toggle struct {
	remove bool
	object interface {
		add(*kernel) error
		delete(*kernel) error
	}
}

func (t toggle) do(k *kernel) error   { return t.apply(k, t.remove) }
func (t toggle) undo(k *kernel) error { return t.apply(k, !t.remove) }

func (t toggle) apply(k *kernel, remove bool) error {
	if !remove {
		return t.object.add(k)
	}
	err := t.object.delete(k)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrNotExist) {
		return nil // it went by itself, as routes do with their interface
	}
	return err
}

func (r route) add(k *kernel) error {
	return k.change("adding the route "+r.text(fmt.Sprint("if", r.index)), unix.RTM_NEWROUTE, netlink.Create|netlink.Excl, r.encode())
}

func (r route) delete(k *kernel) error {
	return k.change("deleting the route "+r.text(fmt.Sprint("if", r.index)), unix.RTM_DELROUTE, 0, r.encode())
}

func (r rule) add(k *kernel) error {
	return k.change("adding the rule "+r.text(), unix.RTM_NEWRULE, netlink.Create|netlink.Excl, r.encode())
}

func (r rule) delete(k *kernel) error {
	return k.change("deleting the rule "+r.text(), unix.RTM_DELRULE, 0, r.encode())
}

func (e Endpoint) add(k *kernel) error {
	if err := k.pm.AddEndpoint(e); err != nil {
		return err
	}
	k.own[e.Addr] = mark{e.ID, e.IfIndex}
	if e.ID == 0 { // the kernel has chosen it
		all, err := k.pm.Endpoints()
		if err != nil {
			return err
		}
		for _, x := range all {
			if x.Addr == e.Addr && k.own.is(x) {
				k.own[e.Addr] = mark{x.ID, x.IfIndex}
			}
		}
	}
	return nil
}

func (e Endpoint) delete(k *kernel) error {
	if e.ID == 0 { // the kernel has chosen it
		all, err := k.pm.Endpoints()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x Endpoint) bool { return x.Addr == e.Addr && k.own.is(x) })
		if i < 0 {
			return nil
		}
		e = all[i]
	}
	delete(k.own, e.Addr) // if this fails, it is because there is none
	return k.pm.DeleteEndpoint(e)
}

// flagsStep changes those flags of an endpoint that can be changed.
type flagsStep struct{ before, after Endpoint }

func (s flagsStep) do(k *kernel) error   { return k.pm.SetFlags(s.after) }
func (s flagsStep) undo(k *kernel) error { return k.pm.SetFlags(s.before) }

// firstStep closes the first subflows from an address.
type firstStep netip.Addr

func (s firstStep) do(k *kernel) error {
	err := k.pm.DeleteEndpoint(Endpoint{Addr: netip.Addr(s)})
	if errors.Is(err, unix.EPERM) {
		return err
	}
	return nil // else there is no such connection
}

func (s firstStep) undo(*kernel) error { return nil } // the repair of a Manager

// limitsStep changes the limits.
type limitsStep struct{ before, after Limits }

func (s limitsStep) do(k *kernel) error   { return k.pm.SetLimits(s.after) }
func (s limitsStep) undo(k *kernel) error { return k.pm.SetLimits(s.before) }

// apply does all changes, or none.
func (k *kernel) apply(changes []Change) error {
	for i, c := range changes {
		err := c.step.do(k)
		if err == nil {
			continue
		}
		errs := []error{err}
		for _, done := range reversed(changes[:i]) {
			if err := done.step.undo(k); err != nil {
				errs = append(errs, fmt.Errorf("undoing %q: %w", done.Text, err))
			}
		}
		return errors.Join(errs...)
	}
	return nil
}

// push does as many changes as it can.
func (k *kernel) push(changes []Change) error {
	var errs []error
	for _, c := range changes {
		errs = append(errs, c.step.do(k))
	}
	return errors.Join(errs...)
}

func reversed(c []Change) []Change {
	r := make([]Change, 0, len(c))
	for i := range c {
		r = append(r, c[len(c)-1-i])
	}
	return r
}
