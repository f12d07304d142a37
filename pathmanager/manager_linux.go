package pathmanager

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	leastPause = 5 * time.Millisecond // between two looks at a namespace in which much happens
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second

	// Nobody is told when somebody changes endpoints, and no program when
	// another one starts.
	rarely  = 10 * time.Second
	atTimes = time.Second // if subflows close, which may be why
)

// A keeper is a running Manager.
type keeper struct {
	*Manager
	log     *slog.Logger
	k       *kernel
	repair  repair
	sockets sockets
	spares  map[netip.Addr]*spares
	notes   []string // that have been logged
	paths   []Path   // of the newest plan
	judge   judge
	silent  map[netip.Addr]*silence

	retry    time.Duration // zero: the last changes have succeeded
	lastLook time.Time
	cost     time.Duration // of the last look
	recheck  time.Time     // when to look though nothing is known to have changed

	others     []string // notes about other programs
	lastOthers time.Time
}

func (m *Manager) run(ctx context.Context) (err error) {
	config, err := m.Config.checked()
	if err != nil {
		return err
	}
	if err := inside(m.NetNS, effective); err != nil {
		return err
	}
	k, err := openKernel(m.NetNS, make(owned))
	if err != nil {
		return err
	}
	defer k.close()
	// From now on nothing is missed: what happens is looked at after the first
	// look at how things are.
	changed, err := watch(m.NetNS)
	if err != nil {
		return err
	}
	defer changed.close()
	events, err := listen(ctx, k.pm)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer events.close()

	sockets, err := openSockets(m.NetNS)
	if err != nil {
		return err
	}
	defer sockets.close()

	r := &keeper{Manager: m, log: m.Logger, k: k, sockets: sockets, silent: make(map[netip.Addr]*silence)}
	if raw, err := k.rt.SyscallConn(); err == nil {
		r.judge.netns = netnsOf(raw)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := r.begin(ctx, config); err != nil {
		return err
	}
	if !m.Keep {
		defer func() { err = errors.Join(err, r.remove(config)) }()
	}
	return r.keep(ctx, config, changed, events)
}

// begin carries out the first plan. It is repeated if it fails because something
// has changed in the meantime, as happens while a machine starts.
func (r *keeper) begin(ctx context.Context, config Config) error {
	for tries := 1; ; tries++ {
		plan, err := r.k.plan(config, r.outlook())
		if err != nil {
			return err
		}
		r.tell(plan)
		if err = r.k.apply(plan.Changes); err == nil {
			r.follow(plan)
			return nil
		}
		if tries == 3 || ctx.Err() != nil || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
			return err
		}
		time.Sleep(firstRetry)
	}
}

// keep is the loop.
func (r *keeper) keep(ctx context.Context, config Config, changed *watcher, events *listener) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	look := true // the first plan may have been late
	for {
		now := time.Now()
		r.mend(now)
		look = r.judgePaths(now) || !now.Before(r.recheck) || look
		if pause := r.pause(now); look && pause <= 0 {
			look = false
			r.look(config)
		}
		timer.Reset(r.wait(time.Now(), look))
		select {
		case <-ctx.Done():
			return nil
		case <-changed.C:
			look = true
		case <-changed.ended:
			return failed("hearing of changes", changed.err)
		case <-events.ended:
			if ctx.Err() != nil {
				return nil
			}
			return failed("hearing of events", events.err)
		case e := <-events.C:
			r.event(e, time.Now())
			look = r.answers(e) || look
		case <-timer.C:
			look = look || r.retry > 0 && time.Since(r.lastLook) >= r.retry
		}
	}
}

// pause is how long not to look again, so that a storm of changes does not
// occupy the machine.
func (r *keeper) pause(now time.Time) time.Duration {
	return max(leastPause, 4*r.cost) - now.Sub(r.lastLook)
}

// wait is how long the loop may sleep.
func (r *keeper) wait(now time.Time, look bool) time.Duration {
	wait := r.repair.wait(now)
	if r.SilentAfter > 0 {
		wait = min(wait, r.judge.next.Sub(now))
	}
	if look {
		wait = min(wait, r.pause(now))
	} else {
		wait = min(wait, r.recheck.Sub(now))
	}
	if r.retry > 0 {
		wait = min(wait, r.retry-now.Sub(r.lastLook))
	}
	return max(wait, 0)
}

// event takes notice of an event.
func (r *keeper) event(e Event, now time.Time) {
	r.repair.event(e, r.k.own, now)
	r.spare(e, now)
	if e.Type == EventSubflowClosed && r.k.own.has(e.Local.Addr().Unmap()) {
		if soon := later(now, r.lastLook.Add(atTimes)); soon.Before(r.recheck) {
			r.recheck = soon
		}
	}
}

// outlook is what a plan depends on.
func (r *keeper) outlook() outlook {
	if now := time.Now(); now.Sub(r.lastOthers) >= rarely {
		r.others, r.lastOthers = others(r.NetNS), now
	}
	return outlook{all: true, silent: r.muted(), notes: slices.Clone(r.others)}
}

// look compares and changes.
func (r *keeper) look(config Config) {
	r.lastLook = time.Now()
	r.recheck = r.lastLook.Add(rarely)
	plan, err := r.k.plan(config, r.outlook())
	if err == nil {
		r.tell(plan)
		if err = r.k.push(plan.Changes); err == nil {
			r.follow(plan)
		}
	}
	r.cost = time.Since(r.lastLook)
	if err == nil {
		r.retry = 0
		return
	}
	r.retry = min(max(2*r.retry, firstRetry), lastRetry)
	r.log.Warn("mptcp: changing paths", "error", err, "retry", r.retry)
}

// tell logs what is about to be done, and notes that are new.
func (r *keeper) tell(plan *Plan) {
	for _, c := range plan.Changes {
		level := slog.LevelInfo
		switch c.Object {
		case ObjectRule, ObjectRoute, ObjectSubflow:
			level = slog.LevelDebug // many, and they follow from the endpoints
		}
		r.log.Log(context.Background(), level, "mptcp: "+c.Text, "command", c.Command)
	}
	for _, n := range plan.Notes {
		if !slices.Contains(r.notes, n) {
			r.log.Info("mptcp: " + n)
		}
	}
	r.notes = plan.Notes
}

// follow takes notice of a plan that was carried out.
func (r *keeper) follow(plan *Plan) {
	if len(plan.Changes) > 0 {
		r.repair.added = time.Now()
	}
	r.paths = plan.Paths
	there := make(map[netip.Addr]bool)
	for _, p := range plan.Paths {
		there[p.Addr] = true
		if p.Flags == 0 {
			delete(r.k.own, p.Addr) // perhaps somebody else has replaced it by another one
		}
	}
	for a := range r.silent {
		if !there[a] {
			delete(r.silent, a) // it may have another voice when it is back
		}
	}
}

// remove undoes everything.
func (r *keeper) remove(config Config) error {
	plan, err := r.k.removal(config)
	if err != nil {
		return err
	}
	r.tell(plan)
	return r.k.push(plan.Changes)
}
