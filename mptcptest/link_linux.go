package mptcptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// open makes the interfaces of a link, and the forwarder of a wire.
func (l *Link) open(seed uint64) error {
	host := [2]vethEnd{}
	for i, e := range l.ends {
		e.mac = l.mac(0, i+1)
		host[i] = vethEnd{name: l.name, ns: e.host.ns, mac: e.mac, mtu: l.mtu}
	}
	if l.kernel {
		return l.openKernel(host)
	}
	return l.openWire(host, seed)
}

func (l *Link) mac(group, n int) net.HardwareAddr {
	return net.HardwareAddr{2, 0, byte(group), byte(l.number >> 8), byte(l.number), byte(n)}
}

func (l *Link) openWire(host [2]vethEnd, seed uint64) (err error) {
	fds := [2]int{-1, -1}
	defer func() {
		if err != nil {
			unix.Close(fds[0]) // -1 is none
			unix.Close(fds[1])
		}
	}()
	for i := range host {
		middle := vethEnd{name: fmt.Sprintf("wire%d.%d", l.number, i+1), ns: l.net.core, mac: l.mac(1, i+1), mtu: l.mtu}
		if err := l.net.core.route(func(r *routeConn) error { return r.vethPair(host[i], middle) }); err != nil {
			return err
		}
		if err := l.ends[i].prepare(true); err != nil {
			return err
		}
		err := visit(l.net.core.enter, func() (err error) {
			fds[i], err = openMiddle(middle.name)
			return err
		})
		if err != nil {
			return err
		}
	}
	return l.startWires(fds, seed)
}

func (l *Link) openKernel(host [2]vethEnd) error {
	if err := l.net.core.route(func(r *routeConn) error { return r.vethPair(host[0], host[1]) }); err != nil {
		return err
	}
	for i, e := range l.ends {
		if err := e.prepare(false); err != nil {
			return err
		}
		s := l.dirs[i].currentShape()
		if s.Delay != 0 || s.Jitter != 0 || s.Loss != 0 {
			return errors.New("a kernel link has no delay, jitter or loss")
		}
		if s.Rate > 0 {
			if err := e.host.ns.route(func(r *routeConn) error { return r.tokenBucket(e.index, s.Rate, s.queue()) }); err != nil {
				return err
			}
		}
	}
	l.stop = l.ends[0].deleteInterface // the other end goes with it
	return nil
}

// startWires starts a forwarder for each direction. The file descriptors are
// theirs from now on, unless there is an error.
func (l *Link) startWires(fds [2]int, seed uint64) error {
	var wires [2]*wire
	for i, d := range l.dirs {
		w, err := newWire(d, fds[i], fds[1-i], l.mtu, seed<<16+uint64(2*l.number+i))
		if err != nil {
			if i > 0 {
				unix.Close(wires[0].wake)
			}
			return err
		}
		wires[i] = w
		d.poke, d.overruns = w.poke, w.overruns
	}
	wires[0].back, wires[1].back = wires[1], wires[0]
	addProcs(2 * len(wires))
	for _, w := range wires {
		go w.run()
	}
	l.stop = func() error {
		for _, w := range wires {
			w.stop()
		}
		addProcs(-2 * len(wires))
		var errs []error
		for i, fd := range fds {
			errs = append(errs, unix.Close(fd), l.ends[i].deleteInterface())
		}
		return errors.Join(errs...)
	}
	return nil
}

func (l *Link) close() error {
	if l.stop == nil {
		return nil
	}
	return l.stop()
}

// openMiddle brings up the inner end of a host's interface.
func openMiddle(name string) (fd int, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return -1, err
	}
	if err := plainPackets(name); err != nil {
		return -1, err
	}
	err = route(func(r *routeConn) error {
		return errors.Join(r.quiet(ifi.Index), r.setUp(ifi.Index, true))
	})
	if err != nil {
		return -1, err
	}
	return packetSocket(ifi.Index)
}

// prepare does what an interface needs once.
func (e *end) prepare(plain bool) error {
	return visit(e.host.ns.enter, func() error {
		ifi, err := net.InterfaceByName(e.link.name)
		if err != nil {
			return err
		}
		e.index = ifi.Index
		if plain {
			if err := plainPackets(e.link.name); err != nil {
				return err
			}
		}
		return route(func(r *routeConn) error {
			if err := r.quiet(e.index); err != nil {
				return err
			}
			if !e.chooses() {
				return nil
			}
			for _, p := range []netip.Prefix{e.v4, e.v6} {
				if err := r.ruleFrom(p.Addr(), e.table()); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// running waits until the kernel lets packets through an interface that is up.
// It learns of a carrier in its own time: what is sent before is lost, and IPv6
// has no routes.
func (e *end) running() error {
	var ifi *net.Interface
	for range 600 {
		err := visit(e.host.ns.enter, func() (err error) {
			ifi, err = net.InterfaceByIndex(e.index)
			return err
		})
		if err != nil || ifi.Flags&net.FlagRunning != 0 {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("%s at %s has no carrier", e.link.name, e.host)
}

func (e *end) setUp(up bool) error {
	return e.host.ns.route(func(r *routeConn) error { return r.setUp(e.index, up) })
}

func (e *end) deleteInterface() error {
	return e.host.ns.route(func(r *routeConn) error { return r.deleteLink(e.index) })
}

func (e *end) removeAddrs() error {
	return e.host.ns.route(func(r *routeConn) error {
		return errors.Join(r.address(e.index, e.v4, false), r.address(e.index, e.v6, false))
	})
}
