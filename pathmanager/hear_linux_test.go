package pathmanager_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// An ear hears the events of a host.
type ear struct {
	t    testing.TB
	host *mptcptest.Host

	mu      sync.Mutex
	heard   []pathmanager.Event // and not yet waited for
	changed chan struct{}
}

// hear begins to hear the events of a host, until the test ends.
func hear(t testing.TB, h *mptcptest.Host) *ear {
	t.Helper()
	record(t, h)
	e := &ear{t: t, host: h, changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	events, err := dial(t, h).Events(ctx)
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		for event, err := range events {
			if err != nil {
				t.Errorf("events of %v: %v", h, err)
			}
			e.mu.Lock()
			e.heard = append(e.heard, event)
			e.mu.Unlock()
			select {
			case e.changed <- struct{}{}:
			default:
			}
		}
	}()
	return e
}

// wait returns the first event of a type and a token that was not waited for.
func (e *ear) wait(typ pathmanager.EventType, token uint32) pathmanager.Event {
	e.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		e.mu.Lock()
		for i, event := range e.heard {
			if event.Type == typ && event.Token == token {
				e.heard = append(e.heard[:i:i], e.heard[i+1:]...)
				e.mu.Unlock()
				return event
			}
		}
		var all strings.Builder
		for _, event := range e.heard {
			all.WriteString("\n\t" + event.String())
		}
		e.mu.Unlock()
		select {
		case <-e.changed:
		case <-timeout:
			e.t.Fatalf("%v: no event %v of connection %08x, but%s", e.host, typ, token, &all)
		}
	}
}

// want waits for an event and compares all of it.
func (e *ear) want(want pathmanager.Event) {
	e.t.Helper()
	if got := e.wait(want.Type, want.Token); !reflect.DeepEqual(got, want) {
		e.t.Errorf("%v: event\n%+v, want\n%+v", e.host, got, want)
	}
}

// settled waits until a host has seen that the other end thinks a subflow
// established: ss(8) shows that as the flag "e".
func settled(t testing.TB, h *mptcptest.Host, local, remote netip.AddrPort) {
	t.Helper()
	var all []byte
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		var err error
		all, err = run(h, exec.Command("ss", "-tHinO"))
		must(t, err)
		for line := range strings.Lines(string(all)) {
			ends := strings.Contains(line, fmt.Sprintf(":%d ", local.Port())) && strings.Contains(line, fmt.Sprintf(":%d ", remote.Port()))
			_, flags, _ := strings.Cut(line, "flags:")
			if flags, _, _ = strings.Cut(flags, " "); ends && strings.Contains(flags, "e") {
				return
			}
		}
	}
	t.Fatalf("the subflow from %v to %v is not established at both ends:\n%s", local, remote, all)
}
