package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

func TestMain(m *testing.M) { mptcptest.MainOptional(m) }

// TestProgram is the program, for the tests below, which run it on hosts of a
// laboratory. Its arguments are in the environment.
func TestProgram(t *testing.T) {
	args, ok := os.LookupEnv("GRPC_EXAMPLE_ARGS")
	if !ok {
		t.Skip("run by other tests")
	}
	os.Exit(command(context.Background(), strings.Fields(args), os.Stdout, os.Stderr))
}

func program(host *mptcptest.Host, args string) *exec.Cmd {
	cmd := host.Unprivileged(os.Args[0], "-test.run=^TestProgram$")
	cmd.Env = append(os.Environ(), "GRPC_EXAMPLE_ARGS="+args)
	return cmd
}

// Without Multipath TCP the program runs all the same and says why there is
// none, unless it is required.
func TestUnavailable(t *testing.T) {
	lab := mptcptest.New(t)
	host := lab.Host("host")
	host.Sysctl("net.mptcp.enabled", 0)
	out, err := program(host, "").CombinedOutput()
	if err != nil || strings.Count(string(out), "fallback (host-disabled)") != 4 ||
		!strings.HasPrefix(string(out), "Multipath TCP on this host: not available. Multipath TCP is switched off on this host: ") {
		t.Errorf("%v\n%s", err, out)
	}
	cmd := program(host, "-require")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "sysctl -w net.mptcp.enabled=1") {
		t.Errorf("-require: %v\n%s", err, &stderr)
	}
}

// Two programs on two machines.
func TestTwoHosts(t *testing.T) {
	lab := mptcptest.New(t)
	client, server := lab.Host("client"), lab.Host("server")
	link := lab.Link(client, server, mptcptest.LinkConfig{})
	file := filepath.Join(t.TempDir(), "server.pem")
	listening := program(server, "-listen :8443 -cert "+file)
	var log output
	listening.Stdout, listening.Stderr = &log, &log
	if err := listening.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = listening.Process.Kill()
		_ = listening.Wait()
	}()
	log.wait(t, `-connect THIS-HOST:8443`)
	address := netip.AddrPortFrom(link.Addr(server), 8443).String()
	out, err := program(client, "-require -connect "+address+" -cert "+file).CombinedOutput()
	if err != nil || strings.Count(string(out), " multipath ") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	log.wait(t, `FullDuplexCall from 10\.\d+\.0\.\d+:\d+: multipath\n`)
}
