package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
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

func (o *output) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m
		}
	}
	t.Fatalf("no %s in\n%s", pattern, o)
	return nil
}

func run(args ...string) (code int, stdout, stderr string) {
	var out, errs output
	code = command(context.Background(), args, &out, &errs)
	return code, regexp.MustCompile(`:\d+\b`).ReplaceAllString(out.String(), ":PORT"), errs.String()
}

func needMultipath(t *testing.T) {
	t.Helper()
	if err := mptcp.Probe(); err != nil {
		t.Fatalf("this test needs Multipath TCP: %v", err)
	}
}

const want = `Multipath TCP on this host: available

Server that uses Multipath TCP where it can at 127.0.0.1:PORT
  RPC     the client saw              the server saw
  unary   multipath                   multipath
  stream  multipath                   multipath

Server that knows only TCP at 127.0.0.1:PORT
  RPC     the client saw              the server saw
  unary   fallback (not-answered)     tcp (not-requested)
  stream  fallback (not-answered)     tcp (not-requested)
  Why: The answer came without the option: the peer does not speak Multipath TCP, or a middlebox removed the option.
`

func TestBoth(t *testing.T) {
	needMultipath(t)
	if code, stdout, stderr := run(); code != 0 || stdout != want || stderr != "" {
		t.Errorf("exit status %d, %s\n%s\nwant\n%s", code, stderr, stdout, want)
	}
}

func TestRequire(t *testing.T) {
	needMultipath(t)
	code, stdout, stderr := run("-require")
	if code != 1 || !strings.Contains(stderr, "connection does not use Multipath TCP") || strings.Count(stdout, "multipath ") != 2 {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
}

func TestTwoProcesses(t *testing.T) {
	needMultipath(t)
	file := filepath.Join(t.TempDir(), "server.pem")
	ctx, cancel := context.WithCancel(context.Background())
	var server, errs output
	done := make(chan int)
	go func() { done <- command(ctx, []string{"-listen", "127.0.0.1:0", "-cert", file}, &server, &errs) }()
	address := server.wait(t, `Serving at (127\.0\.0\.1:\d+)\. (?s:.*)-connect THIS-HOST:\d+ -cert `)[1]

	code, stdout, stderr := run("-connect", address, "-cert", file, "-require")
	if code != 0 || strings.Count(stdout, " multipath ") != 2 {
		t.Errorf("exit status %d, %s\n%s", code, stderr, stdout)
	}
	server.wait(t, `\d\d:\d\d:\d\d  /grpc\.testing\.TestService/UnaryCall from 127\.0\.0\.1:\d+: multipath\n`)
	server.wait(t, `/grpc\.testing\.TestService/FullDuplexCall from 127\.0\.0\.1:\d+: multipath\n`)

	// A client that was given another server's certificate does not trust.
	other, err := selfsigned.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if err := selfsigned.Write(file, other.Leaf); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run("-connect", address, "-cert", file); code != 1 || !strings.Contains(stderr, "certificate signed by unknown authority") {
		t.Errorf("exit status %d, %s", code, stderr)
	}

	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit status of the server %d, %s", code, &errs)
	}
	if code, _, stderr := run("-connect", address, "-cert", file); code != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("nobody listens: exit status %d, %s", code, stderr)
	}
}

func TestMisuse(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"-help", 0, "-listen address"},
		{"-no-such-flag", 2, "not defined"},
		{"argument", 2, "only flags"},
		{"-listen :0 -connect :0 -cert x", 2, "use one of them"},
		{"-listen :0", 2, "-cert names a file"},
		{"-cert x", 2, "-cert is for"},
		{"-connect :1 -cert " + empty + "x", 1, "no such file"},
		{"-connect :1 -cert " + empty, 1, "no certificate in it"},
		{"-listen nowhere -cert x", 1, "missing port"},
		{"-listen 127.0.0.1:0 -cert /no/such/dir/x", 1, "no such file"},
	} {
		if code, _, stderr := run(strings.Fields(c.args)...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit status %d, %s\nwant %d, %s", c.args, code, stderr, c.code, c.want)
		}
	}
}
