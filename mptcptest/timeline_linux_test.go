package mptcptest_test

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

// TestTimeline holds the log of a test, line by line.
func TestTimeline(t *testing.T) {
	r := &recorder{TB: t}
	lab := mptcptest.New(r)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi", Rate: 50 * mptcptest.Mbit})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	router := lab.Router("gate")
	lab.Link(server, router, mptcptest.LinkConfig{MTU: 1400})
	phone.SetLimits(2, 1)
	phone.AddEndpoint(lte.Addr(phone), mptcptest.Subflow)
	server.Sysctl("net.mptcp.checksum_enabled", 1)
	wifi.SetRate(20 * mptcptest.Mbit) // is what the picture shows

	sink, err := server.ListenConfig().ListenPacket(context.Background(), "udp", ":9")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	sent := make(map[*mptcptest.Link]uint64)
	send := func(l *mptcptest.Link, n int) {
		c, err := phone.DialContext(context.Background(), "udp", netip.AddrPortFrom(l.Addr(server), 9).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(make([]byte, n-28)); err != nil {
			t.Fatal(err)
		}
		sent[l] += uint64(n)
		if !eventually(func() bool { return l.From(phone).Stats().Bytes == sent[l] }) {
			t.Fatalf("%s: %+v", l.Name(), l.From(phone).Stats())
		}
	}
	send(wifi, 100)
	send(lte, 1500)
	lab.Log("both")
	heal := wifi.Inject(mptcptest.DropAll())
	send(lte, 999)
	heal()
	lte.SetRate(mptcptest.Mbit)
	r.end()

	want := `network
  [phone]  10.1.0.1 fd00:1::1 --- wifi ---  10.1.0.2 fd00:1::2 [server] 20Mbit/s
  [phone]  10.2.0.1 fd00:2::1 --- lte ---   10.2.0.2 fd00:2::2 [server] unlimited
  [server] 10.3.0.1 fd00:3::1 --- link3 --- 10.3.0.2 fd00:3::2 (gate)   unlimited, MTU 1400
  phone: limits: 2 subflows, 1 announced addresses
  phone: endpoint 10.2.0.1 subflow
  server: net.mptcp.checksum_enabled = 1
TIME  both                                   [wifi 100 B, lte 1.5 kB]
TIME  wifi: drop everything
TIME  lte: now 1Mbit/s
TIME  end
`
	log := regexp.MustCompile(`(?m)^ +\d+\.\d{3}s`).ReplaceAllString(r.log.String(), "TIME")
	for line := range strings.Lines(want) {
		if !strings.Contains("\n"+log, "\n"+line) {
			t.Errorf("no line %q", line)
		}
	}
	if line := "TIME  wifi: no more: drop everything         [lte 999 B]\n"; !strings.Contains(log, line) {
		t.Errorf("no line %q", line)
	}
	if !strings.HasPrefix(log, want[:strings.Index(want, "TIME")]) {
		t.Error("the log does not begin with the network")
	}
	if t.Failed() {
		t.Log("\n" + log)
	}
}
