package pathmanager

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A watcher hears when something changes that paths depend on. What it was does
// not matter: there is a value in C, and everything is looked at anew.
type watcher struct {
	C     chan struct{}
	ended chan struct{} // err is why
	err   error
	conn  *netlink.Conn
}

// Groups of routing netlink.
var watched = []int{
	unix.RTNLGRP_LINK,
	unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE,
	unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE,
}

func watch(ns *os.File) (*watcher, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := &watcher{C: make(chan struct{}, 1), ended: make(chan struct{})}
	err := visit(ns, func() (err error) {
		var groups uint32
		for _, g := range watched {
			groups |= 1 << (g - 1)
		}
		w.conn, err = netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: groups})
		return err
	})
	if err != nil {
		return nil, failed("hearing of changes", err)
	}
	go w.run()
	return w, nil
}

func (w *watcher) run() {
	defer close(w.ended)
	for {
		_, err := w.conn.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) { // some were lost: that is a change as well
			w.err = err
			return
		}
		select {
		case w.C <- struct{}{}:
		default:
		}
	}
}

func (w *watcher) close() {
	w.conn.Close()
	<-w.ended
}

// A listener passes the path manager's events on.
type listener struct {
	C      chan Event // one of type zero: some were lost
	cancel context.CancelFunc
	ended  chan struct{} // err is why
	err    error
}

func listen(ctx context.Context, pm *Client) (*listener, error) {
	ctx, cancel := context.WithCancel(ctx)
	events, err := pm.Events(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &listener{C: make(chan Event), cancel: cancel, ended: make(chan struct{})}
	go l.run(ctx, events)
	return l, nil
}

func (l *listener) run(ctx context.Context, events iter.Seq2[Event, error]) {
	defer close(l.ended)
	for e, err := range events {
		if l.err = err; err != nil {
			e = Event{}
		}
		select {
		case l.C <- e:
		case <-ctx.Done():
			return
		}
	}
	if l.err == nil {
		l.err = errNoEvents
	}
}

var errNoEvents = errors.New("there are no more")

func (l *listener) close() {
	l.cancel()
	<-l.ended
}
