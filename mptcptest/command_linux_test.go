package mptcptest_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
)

const envAddress = "MPTCPTEST_TEST_ADDRESS"

// TestChild is the process that TestUnprivileged starts.
func TestChild(t *testing.T) {
	address := os.Getenv(envAddress)
	if address == "" {
		return // an ordinary run of all tests
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "Cap") {
			fmt.Print(line)
		}
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exchange(t, c, "hello")
	fmt.Println("status", statusOf(t, c))
}

func TestUnprivileged(t *testing.T) {
	p := newPair(t, false)
	for _, privileged := range []bool{true, false} {
		args := []string{os.Args[0], "-test.run=^TestChild$", "-test.v"}
		cmd := p.client.Unprivileged(args[0], args[1:]...)
		if privileged {
			cmd = p.client.Command(args[0], args[1:]...)
		}
		cmd.Env = []string{envAddress + "=" + p.address} // nothing else
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "status {262 1}") {
			t.Errorf("output:\n%s", out)
		}
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			none := strings.Contains(string(out), set+":\t0000000000000000")
			if !none && !privileged {
				t.Errorf("unprivileged child has capabilities:\n%s", out)
			}
			if none && privileged && set == "CapEff" {
				t.Errorf("child of root has no capabilities:\n%s", out)
			}
		}
	}
}

func TestDo(t *testing.T) {
	lab := mptcptest.New(t)
	a, b := lab.Host("a"), lab.Host("b")
	a.Sysctl("net.mptcp.enabled", 0)
	here := namespace(t)
	var inA, inB, inAAgain string
	a.Do(func() {
		inA = namespace(t)
		b.Do(func() { inB = namespace(t) })
		inAAgain = namespace(t)
	})
	if inA == here || inB == here || inA == inB || inA != inAAgain || namespace(t) != here {
		t.Errorf("outside %s, in a %s, in b in a %s, in a again %s, outside again %s", here, inA, inB, inAAgain, namespace(t))
	}
	func() {
		defer func() { recover() }()
		a.Do(func() { panic("x") })
	}()
	if got := namespace(t); got != here {
		t.Errorf("after a panic in %s, not %s", got, here)
	}
	a.Do(func() {
		if err := mptcp.Probe(); err == nil {
			t.Error("Multipath TCP is on in a")
		}
	})
}

func namespace(t *testing.T) string {
	t.Helper()
	s, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
