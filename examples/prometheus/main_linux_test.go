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

func needMultipath(t *testing.T) {
	t.Helper()
	if err := mptcp.Probe(); err != nil {
		t.Fatalf("this test needs Multipath TCP: %v", err)
	}
}

func TestDemonstration(t *testing.T) {
	needMultipath(t)
	var stdout, stderr output
	if code := command(context.Background(), nil, &stdout, &stderr); code != 0 || stderr.String() != "" {
		t.Fatalf("exit status %d, %s", code, &stderr)
	}
	for _, want := range []string{
		`mptcp_connection_established_total{mptcp_role="dialed",mptcp_status="multipath"} 1`,
		`mptcp_connection_established_total{mptcp_reason="not-answered",mptcp_role="dialed",mptcp_status="fallback"} 1`,
		`mptcp_dial_duration_seconds_count{mptcp_status="multipath"} 1`,
		`mptcp_host_available 1`,
		`mptcp_rpc_count_total{mptcp_role="client",mptcp_rpc_system="http",mptcp_status="multipath"} 3`,
		`mptcp_rpc_count_total{mptcp_role="server",mptcp_rpc_system="http",mptcp_status="tcp"} 3`,
		`mptcp_subflow_count{mptcp_role="dialed"} 1`,
	} {
		if !strings.Contains(stdout.String(), "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, &stdout)
		}
	}
}

func TestServe(t *testing.T) {
	needMultipath(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stdout, stderr output
	done := make(chan int)
	go func() { done <- command(ctx, []string{"-listen", "127.0.0.1:0"}, &stdout, &stderr) }()
	url := stdout.wait(t, `Serving at (http://127\.0\.0\.1:\d+):`)[1]
	for path, want := range map[string]string{"/hello": "hello\n", "/metrics": "mptcp_host_available 1\n"} {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v, %s", path, err, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stderr.wait(t, `msg="connection ended" id=\d+ role=accepted .* status=tcp reason=not-offered lasted=`)
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit status %d, %s", code, &stderr)
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
		var stdout, stderr output
		if code := command(context.Background(), strings.Fields(c.args), &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit status %d, %s\nwant %d, %s", c.args, code, &stderr, c.code, c.want)
		}
	}
}
