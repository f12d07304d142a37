//go:build !linux

package mptcp_test

import (
	"errors"
	"net"
	"testing"

	"github.com/multipath-go/mptcp"
)

func TestStubs(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err) // js/wasm has no network
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, inspect := mptcp.Inspect(c)
	_, subflows := mptcp.Subflows(c)
	_, counters := mptcp.ReadCounters()
	for name, err := range map[string]error{"Probe": mptcp.Probe(), "Inspect": inspect, "Subflows": subflows, "ReadCounters": counters} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v does not match errors.ErrUnsupported", name, err)
		}
	}
}
