package main

import (
	"bufio"
	"context"
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// TestWatch watches a connection of another process come, get its second
// subflow, and go: with privilege by events, and without.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)

	by := map[string]*lockedBuffer{"events": {}, "looking": {}}
	for name, out := range by {
		cmd := commandIn(s.client, "watch", "--interval", "50ms")
		if name == "looking" {
			env := cmd.Env
			cmd = s.client.Unprivileged("/proc/self/exe", "watch", "--interval", "50ms")
			cmd.Env = env
		}
		cmd.Stdout = out
		errs, wait := background(t, cmd)
		out.await(t, "No connection")
		if name == "looking" {
			errs.await(t, "need root")
		}
		defer func() {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if status := wait(); status != exitOK {
				t.Errorf("%s: status %d\n%s", name, status, errs)
			}
		}()
	}
	dial := commandIn(s.client, "dial", s.target, "-q")
	in, err := dial.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	_, wait := background(t, dial)
	if _, err := in.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	by["events"].await(t, "sub-established")
	by["looking"].await(t, "+   10.2.0.1:")

	o := finish(t, commandIn(s.client, "watch", "--once"))
	if o.status != exitOK || !strings.Contains(o.out, "multipath, 2 subflows  sent 5 B  received 5 B  ") ||
		strings.Count(o.out, "\n    10.") != 2 || !strings.Contains(o.out, "[") {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.err)
	}
	o = finish(t, commandIn(s.client, "watch", "--once", "--json"))
	var snapshot struct {
		Connections []struct{ Subflows []any }
	}
	if err := json.Unmarshal([]byte(o.out), &snapshot); err != nil || len(snapshot.Connections) != 1 || len(snapshot.Connections[0].Subflows) != 2 {
		t.Errorf("%v: %s", err, o.out)
	}
	o = finish(t, commandIn(s.server, "watch", "--once"))
	if !strings.Contains(o.out, "Listening: [::]:"+port) {
		t.Errorf("the server's listener is missing:\n%s", o.out)
	}
	in.Close()
	if status := wait(); status != exitOK {
		t.Errorf("dial: status %d", status)
	}
	by["events"].await(t, "closed")
	by["looking"].await(t, "- 10.1.0.1:")
}

// TestWatchLost loses events, and then all that were to come: what there is is
// shown anew, and what happens is noticed by looking.
func TestWatchLost(t *testing.T) {
	t.Parallel()
	l, err := transport.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() string {
		c, err := (&transport.Dialer{Memory: new(transport.Memory)}).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return c.LocalAddr().String()
	}
	var out, errs lockedBuffer
	o := watchOptions{interval: 20 * time.Millisecond, out: term.New(&out)}
	events := make(chan happened)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- o.follow(ctx, events, &errs) }()
	out.await(t, "Listening: ")
	shown := func() int { return strings.Count(out.String(), "Listening: ") }
	if n := shown(); n != 1 {
		t.Errorf("all was shown %d times", n)
	}
	events <- happened{err: &pathmanager.OverflowError{Lost: 3}}
	out.await(t, "lost")
	events <- happened{event: pathmanager.Event{Token: 7}} // is taken after what the loss led to
	if n := shown(); n != 2 {
		t.Errorf("all was shown %d times, events were lost once", n)
	}
	close(events)
	errs.await(t, "by looking again")
	for end := time.Now().Add(10 * time.Second); shown() < 3 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // what is there by then is not new
	}
	out.await(t, "+ "+dial())
	cancel()
	if err := <-ended; err != nil || shown() != 3 {
		t.Errorf("%v, and all was shown %d times", err, shown())
	}
}

// TestWatchJSON checks that every line is an object.
func TestWatchJSON(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.serve(":" + port)
	cmd := commandIn(s.client, "watch", "--json", "--interval", "50ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	saw := make(map[string]bool)
	for lines.Scan() && !(saw["sub-established"] && saw["connections"]) {
		var object map[string]any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if len(saw) == 0 { // it is watching
			_, _ = background(t, commandIn(s.client, "dial", s.target, "-q", "--send", "300ms"))
		}
		if e, ok := object["event"].(string); ok {
			saw[e] = true
		}
		if _, ok := object["connections"]; ok {
			saw["connections"] = true
		}
	}
	if !saw["sub-established"] {
		t.Errorf("saw %v, %v", saw, lines.Err())
	}
}
