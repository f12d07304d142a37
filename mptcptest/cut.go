package mptcptest

// Cut takes the interfaces at both ends of the link down, as ip link set down
// does: both hosts see it, and their routes by the link go. What is on its way
// is lost. To make a path fail that neither host can see failing, inject
// [DropAll].
func (l *Link) Cut() {
	l.net.t.Helper()
	l.setUp("cut", false, l.ends[:]...)
}

// CutAt takes down the interface at one end only. To the other host the link
// looks as before, unless it is a kernel link: then it has no carrier.
func (l *Link) CutAt(h *Host) {
	l.net.t.Helper()
	l.setUp("cut at "+h.name, false, l.end(h))
}

// Restore undoes [Link.Cut] and [Link.CutAt]. Addresses that were removed stay
// removed.
func (l *Link) Restore() {
	l.net.t.Helper()
	l.setUp("restored", true, l.ends[:]...)
}

func (l *Link) setUp(what string, up bool, ends ...*end) {
	l.net.t.Helper()
	for _, e := range ends {
		e.down = !up
		if err := e.setUp(up); err != nil {
			l.net.t.Fatalf("mptcptest: link %s: %v", l.name, err)
		}
	}
	if up {
		if err := l.net.configure(); err != nil {
			l.net.t.Fatalf("mptcptest: link %s: %v", l.name, err)
		}
	}
	l.net.logf("%s: %s", l.name, what)
}

// RemoveAddr takes the addresses of a host on the link away, IPv4 and IPv6,
// while the link stays up.
func (l *Link) RemoveAddr(h *Host) {
	l.net.t.Helper()
	e := l.end(h)
	e.removed = true
	if err := e.removeAddrs(); err != nil {
		l.net.t.Fatalf("mptcptest: link %s: %v", l.name, err)
	}
	l.net.logf("%s: %s lost %s", l.name, h, e.addrs())
}

// AddAddr undoes [Link.RemoveAddr].
func (l *Link) AddAddr(h *Host) {
	l.net.t.Helper()
	e := l.end(h)
	e.removed = false
	if err := l.net.configure(); err != nil {
		l.net.t.Fatalf("mptcptest: link %s: %v", l.name, err)
	}
	l.net.logf("%s: %s has %s again", l.name, h, e.addrs())
}
