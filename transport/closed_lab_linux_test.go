package transport_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// TestClosedPeer: a peer that has closed looks like one that has ended its own
// half of the stream and still reads, as long as the kernel keeps up the
// pretence: it acknowledges what is written. So nobody ends the connection of a
// writer whose peer has closed.
func TestClosedPeer(t *testing.T) {
	seen := make(map[string]string)
	for name, end := range map[string]func(*net.TCPConn) error{
		"half-closed": (*net.TCPConn).CloseWrite,
		"closed":      (*net.TCPConn).Close,
	} {
		s := newScene(t, mptcptest.LinkConfig{Delay: time.Millisecond}, transport.Require, false)
		c, srv := s.ends(5*time.Second, transport.Require, transport.Require)
		if err := end(srv.(*net.TCPConn)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for i := range 10 {
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				t.Fatalf("%s: write %d: %v", name, i, err)
			}
			fmt.Fprintln(&b, settled(t, c))
		}
		seen[name] = b.String()
	}
	if seen["closed"] != seen["half-closed"] {
		t.Errorf("one that is closed:\n%sone that is half-closed:\n%s", seen["closed"], seen["half-closed"])
	}
}

// settled waits until all that c has written is acknowledged, and returns what
// the kernel says of it then.
func settled(t *testing.T, c net.Conn) string {
	t.Helper()
	for end := time.Now().Add(4 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		s, err := mptcp.Inspect(c)
		if err != nil {
			t.Fatal(err)
		}
		list, err := mptcp.Subflows(c)
		if err != nil {
			t.Fatal(err)
		}
		sent, received, _ := s.Bytes()
		acked, _ := s.Acked()
		if sent != acked && time.Now().Before(end) {
			continue
		}
		n, _ := s.Subflows()
		text := fmt.Sprintf("%v, %d subflows, %d bytes sent, %d acknowledged, %d received", s, n, sent, acked, received)
		for _, f := range list {
			text += ", " + f.State.String()
		}
		return text
	}
}
