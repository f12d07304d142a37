package main

import (
	"bytes"
	"crypto/rand"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// lockedBuffer is read while a command writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits until a command has said something.
func (l *lockedBuffer) await(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(l.String(), what); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %q:\n%s", what, l)
		}
	}
}

// background starts a command whose standard error is read while it runs.
func background(t *testing.T, cmd *exec.Cmd) (errs *lockedBuffer, wait func() int) {
	t.Helper()
	errs = new(lockedBuffer)
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its status is asked for below
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, if all is well
		<-ended
	})
	return errs, func() int {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("%q does not end:\n%s", cmd.Args, errs)
		}
		return cmd.ProcessState.ExitCode()
	}
}

// TestPipe sends a file by dial and serve, which show both subflows.
func TestPipe(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	s.wifi.SetRate(20 * mptcptest.Mbit)
	s.lte.SetRate(20 * mptcptest.Mbit)
	question, answer := make([]byte, 1<<20), []byte("thank you\n")
	_, _ = rand.Read(question) // never fails
	serve := commandIn(s.server, "serve", ":"+port)
	var got bytes.Buffer
	in, err := serve.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	serve.Stdout = &got
	said, wait := background(t, serve)
	said.await(t, "Listening")
	dial := commandIn(s.client, "dial", s.target)
	out, err := dial.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// What is missing is missed below.
		_, _ = out.Write(question)
		for end := time.Now().Add(20 * time.Second); !strings.Contains(said.String(), "+ subflow 2") && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // a connection that is half closed gets no further subflow
		}
		out.Close()
		_, _ = in.Write(answer)
		in.Close()
	}()
	o := finish(t, dial)
	if o.status != exitOK || o.out != string(answer) {
		t.Errorf("dial: status %d, received %q\n%s", o.status, o.out, o.err)
	}
	if status := wait(); status != exitOK || !bytes.Equal(got.Bytes(), question) {
		t.Errorf("serve: status %d, received %d bytes\n%s", status, got.Len(), said)
	}
	for text, end := range map[string]string{o.err: "sent 1.0 MB, received 10 B", said.String(): "sent 10 B, received 1.0 MB"} {
		for _, part := range []string{"multipath", "+ subflow 1: ", "+ subflow 2: ", "10.2.0.1", "end, multipath: " + end} {
			if !strings.Contains(text, part) {
				t.Errorf("nothing of %q in\n%s", part, text)
			}
		}
	}
}

// TestLoad sends for a while to a server for many, once by TCP.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	said, wait := background(t, func() *exec.Cmd {
		c := commandIn(s.server, "serve", ":"+port, "--discard")
		return c
	}())
	said.await(t, "Listening")
	for flag, want := range map[string]string{"--require": "end, multipath: sent ", "--tcp": "end, tcp (not-requested): sent "} {
		o := finish(t, commandIn(s.client, "dial", s.target, flag, "--send", "400ms"))
		if o.status != exitOK || o.out != "" || !strings.Contains(o.err, want) || !strings.Contains(o.err, "MB") {
			t.Errorf("%s: status %d, %q\n%s", flag, o.status, o.out, o.err)
		}
	}
	o := finish(t, commandIn(s.client, "dial", "10.3.0.1:1", "--require"))
	if o.status != exitFailed || strings.Count(o.err, "\n") != 1 || !strings.Contains(o.err, "10.3.0.1:1") {
		t.Errorf("nobody there: status %d\n%s", o.status, o.err)
	}
	if strings.Contains(said.String(), "mptcp:") || !strings.Contains(said.String(), "[2] ") {
		t.Errorf("serve:\n%s", said)
	}
	_ = wait
}

// TestEcho interrupts a server, which then ends well, and so do its
// connections.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := newScene(t, 2)
	cmd := commandIn(s.server, "serve", ":"+port, "--echo")
	said, wait := background(t, cmd)
	said.await(t, "Listening")
	dial := commandIn(s.client, "dial", s.target, "--quiet")
	dial.Stdin = strings.NewReader("hello\n")
	if o := finish(t, dial); o.status != exitOK || o.out != "hello\n" || o.err != "" {
		t.Errorf("status %d, %q, %q", o.status, o.out, o.err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := wait(); status != exitOK {
		t.Errorf("status %d\n%s", status, said)
	}
}
