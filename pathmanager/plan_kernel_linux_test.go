package pathmanager

import (
	"errors"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nltest"
	"golang.org/x/sys/unix"
)

// TestInterruptedDump: what has changed while it was read is read again.
func TestInterruptedDump(t *testing.T) {
	for _, tt := range []struct {
		interrupted int
		want        error
	}{{0, nil}, {mostDumps - 1, nil}, {mostDumps, errInterrupted}} {
		asked := 0
		rt := nltest.Dial(func(req []netlink.Message) ([]netlink.Message, error) {
			if len(req) == 0 {
				return nil, nil
			}
			asked++
			h := netlink.Header{Flags: netlink.Multi, Sequence: req[0].Header.Sequence, PID: req[0].Header.PID}
			part, last := netlink.Message{Header: h, Data: []byte{byte(asked)}}, netlink.Message{Header: h}
			last.Header.Type = netlink.Done
			if asked <= tt.interrupted {
				part.Header.Flags |= netlink.DumpInterrupted
			}
			return nltest.Multipart([]netlink.Message{part, last})
		})
		var got []byte
		err := (&kernel{rt: rt}).dump("reading", unix.RTM_GETRULE, nil, func(b []byte) error {
			got = append(got, b...)
			return nil
		})
		if !errors.Is(err, tt.want) || err == nil && (len(got) != 1 || int(got[0]) != tt.interrupted+1) {
			t.Errorf("interrupted %d times: %v, %v", tt.interrupted, got, err)
		}
	}
}

// TestListenerEnds: that there are no more events does not go unnoticed.
func TestListenerEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		errs []error
		want error
	}{
		{"a message that is not understood, and the end", []error{broken, nil}, errNoEvents},
		{"an error at the end", []error{nil, broken}, broken},
	} {
		l := &listener{C: make(chan Event), ended: make(chan struct{})}
		go l.run(t.Context(), func(yield func(Event, error) bool) {
			for _, err := range tt.errs {
				if !yield(Event{Type: EventCreated}, err) {
					return
				}
			}
		})
		for _, err := range tt.errs {
			want := EventCreated
			if err != nil {
				want = 0
			}
			if e := <-l.C; e.Type != want {
				t.Errorf("%s: event %v, want %v", tt.name, e.Type, want)
			}
		}
		if <-l.ended; !errors.Is(l.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, l.err, tt.want)
		}
	}
}
