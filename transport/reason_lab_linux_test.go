package transport_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/sockopt"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// A reasonCase is a real fault and the one reason that a process without any
// privilege must find for it.
type reasonCase struct {
	name   string
	before func(*scene)   // before the child dials
	middle func(*scene)   // after its first exchange, before the second one
	server transport.Mode // Off: a server without Multipath TCP
	sysctl string         // of the client host, set to 0
	dial   string         // "ours", or "net" for package net's own dial
	seccmp string         // refuse Multipath TCP sockets in the child
	state  mptcp.State    // in the child
	reason mptcp.Reason   // in the child
}

func inject(faults ...mptcptest.Fault) func(*scene) {
	return func(s *scene) {
		for _, f := range faults {
			s.link.Inject(f)
		}
	}
}

var reasonCases = []reasonCase{
	{name: "nothing wrong", state: mptcp.Multipath},
	{name: "server without", server: transport.Off, state: mptcp.Fallback, reason: mptcp.ReasonNotAnswered},
	{name: "stripped from SYN", before: inject(mptcptest.StripMPTCP(mptcptest.OnSYN)), state: mptcp.Fallback, reason: mptcp.ReasonNotAnswered},
	{name: "stripped from SYN/ACK", before: inject(mptcptest.StripMPTCP(mptcptest.OnSYNACK)), state: mptcp.Fallback, reason: mptcp.ReasonNotAnswered},
	{name: "stripped from third ACK", before: inject(mptcptest.StripMPTCP(mptcptest.OnThirdACK | mptcptest.OnLater)), state: mptcp.Fallback, reason: mptcp.ReasonFirstData},
	{name: "stripped in mid-stream", middle: inject(mptcptest.StripMPTCP(mptcptest.Always)), state: mptcp.Fallback, reason: mptcp.ReasonMidStream},
	{name: "SYN dropped, race", before: inject(mptcptest.DropMPTCPSYN()), state: mptcp.Fallback, reason: mptcp.ReasonSYNDropped},
	{name: "SYN dropped, kernel", before: inject(mptcptest.DropMPTCPSYN()), dial: "net", state: mptcp.Fallback, reason: mptcp.ReasonSYNDropped},
	{name: "SYN reset", before: inject(mptcptest.ResetMPTCPSYN()), state: mptcp.Fallback, reason: mptcp.ReasonSYNReset},
	{name: "kernel suppressed", before: suppress, state: mptcp.Fallback, reason: mptcp.ReasonHostSuppressed},
	{name: "switched off", sysctl: "net.mptcp.enabled", state: mptcp.Fallback, reason: mptcp.ReasonHostDisabled},
	{name: "denied by policy", seccmp: "EPERM", state: mptcp.Fallback, reason: mptcp.ReasonHostDenied},
	{name: "kernel without", seccmp: "EPROTONOSUPPORT", state: mptcp.Fallback, reason: mptcp.ReasonHostWithout},
	{name: "kernel too old", seccmp: "EINVAL", state: mptcp.Fallback, reason: mptcp.ReasonHostTooOld},
}

// suppress makes the kernel of the client take the network for one that drops
// the option, as package net's dial does, and heals the network.
func suppress(s *scene) {
	heal := s.link.Inject(mptcptest.DropMPTCPSYN())
	defer heal()
	d := s.client.Dialer()
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	c.Close()
}

// TestReasons has a process without privilege, in a user namespace where it
// has no capability, name each fault.
func TestReasons(t *testing.T) {
	for _, tt := range reasonCases {
		for _, family := range []string{"IPv4", "IPv6"} {
			t.Run(tt.name+" "+family, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, mptcptest.LinkConfig{}, tt.server, family == "IPv6")
				if tt.sysctl != "" {
					s.client.Sysctl(tt.sysctl, 0)
				}
				if tt.before != nil {
					tt.before(s)
				}
				got := runReasonChild(t, s, tt)
				if want := (mptcp.Status{State: tt.state, Reason: tt.reason}).String(); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// runReasonChild runs TestReasonChild without privilege in the client host.
func runReasonChild(t *testing.T, s *scene, tt reasonCase) string {
	cmd := s.client.Unprivileged(os.Args[0], "-test.run=^TestReasonChild$", "-test.v")
	cmd.Env = append(os.Environ(), "REASON_ADDRESS="+s.address, "REASON_DIAL="+tt.dial, "REASON_SECCOMP="+tt.seccmp)
	return askChild(t, cmd, func(line string) bool {
		if line != "connected" {
			return false
		}
		if tt.middle != nil {
			tt.middle(s)
		}
		return true
	})
}

// askChild runs cmd, lets it go on after each line for which heard returns true,
// and returns the status that it prints.
func askChild(t *testing.T, cmd *exec.Cmd, heard func(line string) bool) string {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var all strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if heard(lines.Text()) {
			io.WriteString(stdin, "go on\n")
		}
		if status, ok := strings.CutPrefix(lines.Text(), "status: "); ok {
			stdin.Close()
			cmd.Wait()
			return status
		}
	}
	err = cmd.Wait()
	t.Fatalf("%v: the child said:\n%s%s", err, &all, &stderr)
	return ""
}

// TestReasonChild is the process that TestReasons starts.
func TestReasonChild(t *testing.T) {
	address := os.Getenv("REASON_ADDRESS")
	if address == "" {
		return
	}
	if errno, ok := map[string]unix.Errno{
		"EPERM": unix.EPERM, "EPROTONOSUPPORT": unix.EPROTONOSUPPORT, "EINVAL": unix.EINVAL,
	}[os.Getenv("REASON_SECCOMP")]; ok {
		if err := sockopt.Refuse(unix.IPPROTO_MPTCP, errno); err != nil {
			t.Fatal(err)
		}
	}
	needNoCapabilities(t)
	dial := new(transport.Dialer).Dial
	if os.Getenv("REASON_DIAL") == "net" {
		d := new(net.Dialer)
		d.SetMultipathTCP(true)
		dial = d.Dial
	}
	c, err := dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c)
	fmt.Println("\nconnected")
	bufio.NewReader(os.Stdin).ReadString('\n')
	c.SetDeadline(time.Now().Add(2 * time.Second))
	c.Write([]byte("ping"))
	io.ReadFull(c, make([]byte, 4))
	tellStatus(t, c)
}

// tellStatus prints the status of c, which has to be the same twice.
func tellStatus(t *testing.T, c net.Conn) {
	t.Helper()
	first, err := mptcp.Inspect(c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := mptcp.Inspect(c); err != nil || again.String() != first.String() {
		t.Errorf("%v, then %v, %v", first, again, err)
	}
	fmt.Printf("\nstatus: %v\n", first)
}

// needNoCapabilities makes sure that this process has no privilege.
func needNoCapabilities(t *testing.T) {
	t.Helper()
	if h, d := capabilities(t); h != 0 || d != 0 {
		t.Fatalf("the child has capabilities %#x %#x", h, d)
	}
}

// capabilities returns the effective capabilities of this process.
func capabilities(t *testing.T) (low, high uint32) {
	t.Helper()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[0].Effective, data[1].Effective
}
