package sockets

import (
	"fmt"
	"os"
	"testing"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const port = 8080

// activate has systemd-socket-activate, started by the words of launcher, open
// the socket and start this program with it.
func activate(t *testing.T, s *scene.Scene, launcher ...string) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	p := scene.NewProcess(t, s.Server)
	program := p.File("server", self, 0o755)
	words := append(launcher, "systemd-socket-activate", "--listen", fmt.Sprint("0.0.0.0:", port),
		"--setenv", envInherited+"=1", "--now", program)
	p.Start(words[0], words[1:]...)
	s.AwaitListener(port)
}

// TestInherited has a server adopt a Multipath TCP socket that it has inherited.
func TestInherited(t *testing.T) {
	s := scene.New(t)
	activate(t, s, "mptcpize", "run")
	s.Survives(scene.Program{
		Name: "systemd-socket-activate under mptcpize", Version: scene.PackageVersion(t, "systemd"), Us: "client and server",
		Exchange: s.Get("http://"+s.Address(port), "listener multipath, request multipath, <nil>", "multipath"),
	})
}

// TestInheritedTCP has it adopt a TCP socket: the listener says so.
func TestInheritedTCP(t *testing.T) {
	s := scene.New(t)
	activate(t, s)
	const want = "fallback (not-answered)"
	s.FallsBack(scene.Program{
		Name: "systemd-socket-activate", Version: scene.PackageVersion(t, "systemd"), Us: "client and server",
		Exchange: s.Get("http://"+s.Address(port), "listener tcp, request tcp, <nil>", want),
	}, want)
}
