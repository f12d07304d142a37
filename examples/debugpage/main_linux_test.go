package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
)

// output can be read while the program writes it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func needMultipath(t *testing.T) {
	t.Helper()
	if err := mptcp.Probe(); err != nil {
		t.Fatalf("this test needs Multipath TCP: %v", err)
	}
}

func TestRun(t *testing.T) {
	needMultipath(t)
	var out, errs output
	if code := command(t.Context(), nil, &out, &errs); code != 0 || errs.String() != "" {
		t.Fatalf("exit status %d, %s", code, &errs)
	}
	for what, want := range map[string]int{
		`This host can open Multipath TCP connections\.`:                                  states,
		`  multipath 2, fallback 1, tcp 1, unknown 0; Multipath TCP sends \d+\.\d Mbit/s`: states - 1, // the server may be late to accept
		`  #\d+ to 127\.0\.0\.1:\d+: multipath, round trip \d+\.\d\d ms`:                  states,
		`  #\d+ to 127\.0\.0\.1:\d+: fallback \(not-answered\), round trip \d+\.\d\d ms`:  states,
		`sends (?:[1-9]\d*\.\d|0\.[1-9]) Mbit/s`:                                          states - 1,
	} {
		if n := len(regexp.MustCompile(what).FindAllString(out.String(), -1)); n < want {
			t.Errorf("%d times %s, want %d, in\n%s", n, what, want, &out)
		}
	}
}

func TestListen(t *testing.T) {
	needMultipath(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs output
	done := make(chan int)
	go func() { done <- command(ctx, []string{"-listen", "localhost:0"}, &out, &errs) }()
	at := regexp.MustCompile(`http://localhost:\d+/debug/mptcp/`)
	for deadline := time.Now().Add(10 * time.Second); !at.MatchString(out.String()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(out.String(), errs.String())
		}
	}
	response, err := http.Get(at.FindString(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if page, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(page), "<title>Multipath TCP</title>") {
		t.Errorf("%s, %v", response.Status, err)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit status %d, %s", code, &errs)
	}
}

func TestMisuse(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-help", 0, "-listen address"},
		{"-no-such-flag", 2, "not defined"},
		{"argument", 2, "only flags"},
		{"-listen nowhere", 1, "missing port"},
	} {
		var out, errs output
		if code := command(t.Context(), strings.Fields(c.args), &out, &errs); code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%s: exit status %d, %s\nwant %d, %s", c.args, code, &errs, c.code, c.want)
		}
	}
}
