package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestReasonsAccepted has a server without privilege name what became of the
// connections that it accepts. It sees less than a client.
func TestReasonsAccepted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(*scene)   // before the client dials
		middle func(*scene)   // after the first exchange, before the second one
		client transport.Mode // Off: a client without Multipath TCP
		state  mptcp.State
		reason mptcp.Reason
	}{
		{name: "nothing wrong", state: mptcp.Multipath},
		{name: "client without", client: transport.Off, state: mptcp.TCP, reason: mptcp.ReasonNotOffered},
		{name: "stripped from SYN/ACK", before: inject(mptcptest.StripMPTCP(mptcptest.OnSYNACK)), state: mptcp.TCP, reason: mptcp.ReasonNotOffered},
		{name: "stripped in mid-stream", middle: inject(mptcptest.StripMPTCP(mptcptest.Always)), state: mptcp.Fallback, reason: mptcp.ReasonMidStream},
	} {
		for _, family := range []string{"IPv4", "IPv6"} {
			t.Run(tt.name+" "+family, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, mptcptest.LinkConfig{}, transport.Require, family == "IPv6")
				cmd := s.server.Unprivileged(os.Args[0], "-test.run=^TestReasonAcceptedChild$", "-test.v")
				cmd.Env = append(os.Environ(), "REASON_ACCEPT=1")
				got := askChild(t, cmd, func(line string) bool {
					port, ok := strings.CutPrefix(line, "listening on ")
					if !ok {
						return false
					}
					if tt.before != nil {
						tt.before(s)
					}
					host := netip.MustParseAddrPort(s.address).Addr().String()
					d := s.dialer()
					d.Mode = tt.client
					d.HeadStart = -1 // the network has one fault, and is not slow besides
					c, err := d.Dial("tcp", net.JoinHostPort(host, port))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { c.Close() })
					roundTrip(t, c)
					if tt.middle != nil {
						tt.middle(s)
					}
					c.SetDeadline(time.Now().Add(2 * time.Second)) // there may be no answer
					c.Write([]byte("ping"))
					io.ReadFull(c, make([]byte, 4))
					return true
				})
				if want := (mptcp.Status{State: tt.state, Reason: tt.reason}).String(); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// TestReasonAcceptedChild is the process that TestReasonsAccepted starts.
func TestReasonAcceptedChild(t *testing.T) {
	if os.Getenv("REASON_ACCEPT") == "" {
		return
	}
	needNoCapabilities(t)
	ln, err := (&transport.ListenConfig{Mode: transport.Require}).Listen(context.Background(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	used := make(chan net.Conn, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 4)
				if _, err := io.ReadFull(c, b); err != nil {
					return // of an attempt that was not used
				}
				used <- c
				c.Write(b)
				io.Copy(c, struct{ io.Reader }{c})
			}()
		}
	}()
	fmt.Printf("\nlistening on %d\n", ln.Addr().(*net.TCPAddr).Port)
	bufio.NewReader(os.Stdin).ReadString('\n')
	tellStatus(t, <-used)
}
