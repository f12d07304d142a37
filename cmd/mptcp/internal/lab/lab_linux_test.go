package lab

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/term"
)

// TestRun plays a short script and checks what it is to show.
func TestRun(t *testing.T) {
	t.Parallel()
	s := Default.Lasting(12 * time.Second)
	var out bytes.Buffer
	r, err := Run(t.Context(), s, NewObserver(term.New(&out), s))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s%s", &out, r.Summary())
	if !r.Survived() {
		t.Error("the stream did not survive")
	}
	dead := r.BackAt - r.CutAt
	if r.TCP.Gap < dead || r.MPTCP.Gap >= dead || r.MPTCP.Err != nil || r.MPTCP.State != "multipath" || r.TCP.State != "tcp (not-requested)" {
		t.Errorf("TCP %+v, Multipath TCP %+v, dead for %v", r.TCP, r.MPTCP, dead)
	}
	if r.TCP.GapAt < r.CutAt-2*time.Second || r.TCP.GapAt > r.CutAt+2*time.Second {
		t.Errorf("TCP stood still at %v, the path died at %v", r.TCP.GapAt, r.CutAt)
	}
	end := r.Samples[len(r.Samples)-1]
	// TCP has no use for its second path: what is there is the hosts' own.
	if end.TCPSecond > used || end.First < used || end.Second < used || end.MPTCP <= end.TCP || end.Subflows != 2 {
		t.Errorf("the end: %+v", end)
	}
	// What the paths had carried when the counting began may not have been read yet.
	if z := r.zero; r.MPTCP.Bytes > end.First+end.Second+z.First+z.Second || r.TCP.Bytes > end.TCPFirst+z.TCPFirst {
		t.Errorf("more has arrived than the paths have carried: %+v, %+v, %+v", r.TCP, r.MPTCP, end)
	}
	for _, part := range []string{"Wi-Fi is cut\n", "Wi-Fi is back\n", "Multipath TCP"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("nothing of %q", part)
		}
	}
	checkSVG(t, r)
}

// checkSVG checks that the picture is XML, explains itself, and needs nothing
// from elsewhere.
func checkSVG(t *testing.T, r *Result) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	elements := make(map[string]int)
	d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
			for _, a := range e.Attr {
				if a.Name.Local == "href" || a.Name.Local == "src" {
					t.Errorf("the picture needs %s", a.Value)
				}
			}
		}
	}
	if elements["title"] != 1 || elements["desc"] != 1 || elements["path"] < 3 {
		t.Errorf("elements: %v", elements)
	}
	for _, part := range []string{Marker, "prefers-color-scheme: dark", ">seconds<", ">Mbit/s<", ">Wi-Fi is cut<", ">Wi-Fi is back<", ">TCP<", ">Multipath TCP<", "longest gap"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("nothing of %q in the picture", part)
		}
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Error("the picture has numbers that are none")
	}
}

// TestInterrupted ends a run early: what was seen is there, and nothing goes on.
func TestInterrupted(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Run(ctx, Default, &canceller{cancel: cancel, after: 4})
	if err != nil {
		t.Fatal(err)
	}
	if r.Survived() || r.CutAt != 0 || len(r.Samples) < 3 || !strings.Contains(r.Summary(), "Nothing was cut") {
		t.Errorf("%d samples\n%s", len(r.Samples), r.Summary())
	}
	checkPicture(t, r)
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
	}
}

// canceller interrupts a run after some samples.
type canceller struct {
	cancel func()
	after  int
}

func (c *canceller) Sample(*Result) {
	if c.after--; c.after == 0 {
		c.cancel()
	}
}

func (c *canceller) Event(time.Duration, Event) {}

func checkPicture(t *testing.T, r *Result) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil || strings.Contains(b.String(), "NaN") {
		t.Errorf("%v\n%s", err, &b)
	}
}

// TestNoResult draws a run in which nothing was seen.
func TestNoResult(t *testing.T) {
	r := &Result{Script: Default}
	checkPicture(t, r)
	if r.Summary() != "" || r.Survived() {
		t.Error("something is said of nothing")
	}
	r.MPTCP.Err = errors.New("<&>")
	r.Samples = []Sample{{}, {At: time.Second, First: 1}}
	checkPicture(t, r)
}
