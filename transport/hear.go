package transport

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/multipath-go/mptcp/pathmanager"
)

// observed are the connections that observers look at, by their tokens. Tokens
// of several network namespaces may be equal: whoever is found then looks in
// vain.
var observed struct {
	sync.Mutex
	byToken map[uint32]*observer
}

// know makes o known to the events by another token, zero for none. It keeps
// its token when no subflow is left: another one may come.
func (o *observer) know(token uint32) {
	if o.token == token {
		return
	}
	observed.Lock()
	defer observed.Unlock()
	if observed.byToken[o.token] == o {
		delete(observed.byToken, o.token)
	}
	if o.token = token; token != 0 {
		if observed.byToken == nil {
			observed.byToken = make(map[uint32]*observer)
		}
		observed.byToken[token] = o
	}
}

// hear has observers look when the path manager of this network namespace
// reports something of their connections, for as long as h runs. Where that
// is not permitted, they look from time to time.
func hear(h *wheel[*observer]) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client, err := pathmanager.Dial()
		if err != nil {
			return
		}
		defer client.Close()
		events, err := client.Events(ctx)
		if err != nil {
			return
		}
		for e, err := range events {
			observed.Lock()
			if o := observed.byToken[e.Token]; err == nil && o != nil {
				h.hurry(o)
			} else if _, lost := errors.AsType[*pathmanager.OverflowError](err); lost {
				h.hurry(slices.Collect(maps.Values(observed.byToken))...)
			}
			observed.Unlock()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
