package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// envCommand makes the test binary be the command, so that a test can start it
// in a host of a laboratory.
const envCommand = "MPTCP_TEST_COMMAND"

type runner struct{ m *testing.M }

func (r runner) Run() int {
	if os.Getenv(envCommand) != "" {
		return run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	}
	return r.m.Run()
}

func TestMain(m *testing.M) { mptcptest.Main(runner{m}) }

// output is what a command has printed, and its exit status.
type output struct {
	out, err string
	status   int
}

// commandIn is the command in a host, as root of the laboratory.
func commandIn(h *mptcptest.Host, args ...string) *exec.Cmd {
	cmd := h.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), envCommand+"=1", "NO_COLOR=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// finish runs a command to its end, for which it has a minute.
func finish(t testing.TB, cmd *exec.Cmd) output {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // for what it may have started
	err := cmd.Start()
	if err == nil {
		late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // which its status shows
		err = cmd.Wait()
		late.Stop()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// shell runs what a person would type in a host.
func shell(t testing.TB, h *mptcptest.Host, line string) {
	t.Helper()
	out, err := h.Command("sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %s: %v: %s", h, line, err, out)
	}
}

// scene is a client with two ways to a router, and a server behind it.
type scene struct {
	t              testing.TB
	client, server *mptcptest.Host
	wifi, lte      *mptcptest.Link // client to router
	rack, second   *mptcptest.Link // server to router
	target         string
	stop           func()
}

const port = "4433"

// newScene builds the network, with everything in order. lte is left out if
// paths is 1, and the server then has a second link whose address it announces.
func newScene(t testing.TB, paths int) *scene {
	n := mptcptest.New(t)
	s := &scene{t: t, client: n.Host("client"), server: n.Host("server")}
	router := n.Router("router")
	s.wifi = n.Link(s.client, router, mptcptest.LinkConfig{Name: "wifi"})
	if paths == 2 {
		s.lte = n.Link(s.client, router, mptcptest.LinkConfig{Name: "lte", Delay: 2 * time.Millisecond})
	}
	s.rack = n.Link(s.server, router, mptcptest.LinkConfig{Name: "rack"})
	if paths == 1 {
		s.second = n.Link(s.server, router, mptcptest.LinkConfig{Name: "rack2"})
		s.server.AddEndpoint(s.second.Addr(s.server), mptcptest.Signal)
		s.server.AddEndpoint(s.second.Addr6(s.server), mptcptest.Signal)
		s.client.SetLimits(2, 2)
	} else {
		s.client.AddEndpoint(s.lte.Addr(s.client), mptcptest.Subflow)
		s.client.AddEndpoint(s.lte.Addr6(s.client), mptcptest.Subflow)
	}
	for _, h := range []*mptcptest.Host{s.client, s.server} {
		h.Sysctl("net.ipv4.tcp_congestion_control", "reno") // not the machine's
	}
	s.target = net.JoinHostPort(s.rack.Addr(s.server).String(), port)
	return s
}

// serve answers at an address until the test ends, or until it is called again.
func (s *scene) serve(address string) {
	s.t.Helper()
	if s.stop != nil {
		s.stop()
	}
	lc := transport.ListenConfig{NetListenConfig: s.server.ListenConfig()}
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	s.stop = func() { l.Close() }
	s.t.Cleanup(func() { l.Close() })
}

// dial connects by Multipath TCP alone and waits until there are as many
// subflows as there should be, which use as many paths and do not go again.
func (s *scene) dial(subflows int, patience time.Duration) error {
	d := transport.Dialer{NetDialer: s.client.Dialer(), Mode: transport.Require, Memory: new(transport.Memory)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	carried := s.carried()
	c, err := d.DialContext(ctx, "tcp", s.target)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	for good := 0; good < 10; {
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			return err
		}
		list, err := mptcp.Subflows(c)
		if err != nil {
			return err
		}
		n := 0
		for _, f := range list {
			if f.State == mptcp.TCPEstablished {
				n++
			}
		}
		paths := 0
		for i, bytes := range s.carried() {
			if bytes > carried[i] {
				paths++
			}
		}
		good++
		if n < subflows || paths < min(subflows, len(carried)) {
			good = 0
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

// carried is how many bytes the links have brought to the router on which
// there is a choice of paths.
func (s *scene) carried() []uint64 {
	if s.lte != nil {
		return []uint64{s.wifi.From(s.client).Stats().Bytes, s.lte.From(s.client).Stats().Bytes}
	}
	return []uint64{s.rack.From(s.server).Stats().Bytes, s.second.From(s.server).Stats().Bytes}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
