package pathmanager

import "time"

const (
	firstRepair  = time.Second
	mostRepairs  = 8                // of one subflow, in four minutes
	mostRefusals = 3                // of one subflow: then its peer does not want it
	proven       = 5 * time.Second  // that a subflow lives: one that ends earlier was refused, perhaps after its handshake
	handshake    = 10 * time.Second // of a connection that knows nothing of endpoints that are added meanwhile
	forever      = 1<<63 - 1
)

// A repair knows which subflows are missing. Events say so, and are not believed
// further than to look whether it is true: see [keeper.reopen].
type repair struct {
	missing  map[uint32]map[pair]*attempts // by connection, of those that this host has begun
	next     time.Time                     // when one of them is due; zero: none is
	added    time.Time                     // when endpoints were last added
	accepted map[uint32]bool               // connections whose peers open the subflows
	survey   bool                          // events are missing: all connections are to be looked at
}

type attempts struct {
	n, refused int
	at         time.Time // of the next one
	up         time.Time // since when there is such a subflow; zero: there is none
	port       uint16    // its local one
}

// over says that there are to be no more.
func (a *attempts) over() bool {
	return a.n == mostRepairs || a.refused == mostRefusals || !a.up.IsZero()
}

// event takes notice of an event. Only the endpoints in own count.
func (r *repair) event(e Event, own owned, now time.Time) {
	p := pair{e.Token, e.Local.Addr().Unmap(), e.Remote.Addr().Unmap()}
	switch e.Type {
	case 0: // some are missing
		*r = repair{added: r.added, survey: true}
	case EventCreated, EventEstablished:
		switch {
		case e.Flags&ServerSide != 0:
			if r.accepted == nil {
				r.accepted = make(map[uint32]bool)
			}
			r.accepted[e.Token] = true
		case e.Type == EventEstablished && now.Sub(r.added) < handshake && e.Flags&DenyJoinID0 == 0:
			// Linux passes over connections that are being made when it gets an
			// endpoint. Usually this one was not, and its subflows come at once.
			r.lackOthers(p, own, now)
		}
	case EventClosed:
		delete(r.accepted, e.Token)
		delete(r.missing, e.Token)
	case EventSubflowEstablished:
		r.found(p, e.Local.Port(), now)
	case EventSubflowClosed:
		if own.has(p.local) && !r.accepted[e.Token] {
			r.lack(p, e.Local.Port(), now)
		}
	}
}

// lackOthers says that a connection with one subflow may lack those from all
// other endpoints. One that does not begin at an endpoint, on the loopback
// interface or in a container's network, has no others.
func (r *repair) lackOthers(p pair, own owned, now time.Time) {
	if !own.has(p.local) {
		return
	}
	for a := range own {
		if a != p.local && a.Is6() == p.local.Is6() {
			r.lack(pair{p.token, a, p.remote}, 0, now)
		}
	}
}

// lack remembers that a subflow, from this port, is missing. An attempt that was
// refused comes here as well. So does a second one between the same addresses,
// see [keeper.reopen], and the first is not missing then. Of one that has lived for
// a while that is left to the sockets: it may have had an end that nobody has told.
func (r *repair) lack(p pair, port uint16, now time.Time) {
	a := r.missing[p.token][p]
	if a != nil && (a.up.IsZero() || now.Sub(a.up) < proven) {
		if !a.up.IsZero() && a.port != port {
			return
		}
		a.refused, a.up = min(a.refused+1, a.n), time.Time{}
		if !a.over() {
			r.earlier(later(a.at, now.Add(firstRepair)))
		}
		return
	}
	if r.missing == nil {
		r.missing = make(map[uint32]map[pair]*attempts)
	}
	if r.missing[p.token] == nil {
		r.missing[p.token] = make(map[pair]*attempts)
	}
	a = &attempts{at: now.Add(firstRepair)}
	r.missing[p.token][p] = a
	r.earlier(a.at)
}

// found says that a subflow is there, from this port.
func (r *repair) found(p pair, port uint16, now time.Time) {
	if a := r.missing[p.token][p]; a != nil && a.up.IsZero() {
		a.up, a.port = now, port
	}
}

// forget says that a subflow is no business of ours.
func (r *repair) forget(p pair) {
	if delete(r.missing[p.token], p); len(r.missing[p.token]) == 0 {
		delete(r.missing, p.token)
	}
}

func (r *repair) earlier(at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
	}
}

// due returns what should be opened again now. The intervals double.
func (r *repair) due(now time.Time) (all []pair) {
	if r.next.IsZero() || now.Before(r.next) {
		return nil
	}
	r.next = time.Time{}
	for _, pairs := range r.missing {
		for p, a := range pairs {
			if !a.over() && !now.Before(a.at) {
				all = append(all, p)
				a.n++
				a.at = now.Add(firstRepair << a.n)
			}
			if !a.over() {
				// Not each by itself, where many are lost one after the other.
				r.earlier(later(a.at, now.Add(firstRepair)))
			}
		}
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wait is how long nothing is due.
func (r *repair) wait(now time.Time) time.Duration {
	if r.next.IsZero() {
		return forever
	}
	return r.next.Sub(now)
}

// look compares what should be missing with the sockets that there are, and
// returns what of it really is. What is in its handshake is not, and may still be
// refused. A connection without any may still be there, and wait for one.
func (r *repair) look(pairs []pair, all []socket, own owned) (lost []pair) {
	established := make(map[pair]bool) // of those that have begun
	known, dialed := make(map[uint32]bool), make(map[uint32]bool)
	for _, s := range all {
		established[s.pair()] = established[s.pair()] || s.established
		known[s.token] = true
		dialed[s.token] = dialed[s.token] || s.dialed
	}
	for _, p := range pairs {
		there, begun := established[p]
		switch {
		case there, known[p.token] && !dialed[p.token], !own.has(p.local):
			r.forget(p)
		case !begun:
			lost = append(lost, p)
		}
	}
	return lost
}

// lookAtAll finds what is missing when no event has said so: a subflow from each
// endpoint of every connection that this host has begun at one.
func (r *repair) lookAtAll(all []socket, own owned, now time.Time) {
	r.survey = false
	there := make(map[pair]bool)
	for _, s := range all {
		there[s.pair()] = true
	}
	for _, s := range all {
		if s.dialed {
			r.lackOthers(s.pair(), own, now)
		}
	}
	for p := range there {
		r.forget(p)
	}
}
