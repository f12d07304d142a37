package mptcptest_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// TestPathManager has the kernel keep every kind of endpoint, and reads them
// back.
func TestPathManager(t *testing.T) {
	lab := mptcptest.New(t)
	h := lab.Host("h")
	link := lab.Link(h, lab.Host("other"), mptcptest.LinkConfig{})
	var endpoints []pathmanager.Endpoint
	h.Do(func() {
		c, err := pathmanager.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		want := []pathmanager.Endpoint{
			{ID: 1, Addr: netip.MustParseAddr("10.9.0.1"), Flags: pathmanager.Subflow},
			{ID: 2, Addr: netip.MustParseAddr("10.9.0.2"), Flags: pathmanager.Subflow | pathmanager.Backup, IfIndex: 1},
			{ID: 3, Addr: link.Addr6(h), Flags: pathmanager.Signal, Port: 8080},
			{ID: 4, Addr: netip.MustParseAddr("fd00::4"), Flags: pathmanager.Subflow | pathmanager.Fullmesh},
		}
		for _, e := range want {
			if err := c.AddEndpoint(e); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := c.Endpoints(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("endpoints %+v, %v", got, err)
		}
		if err := c.SetFlags(pathmanager.Endpoint{ID: 1, Addr: want[0].Addr, Flags: pathmanager.Backup}); err != nil {
			t.Error(err)
		}
		if err := c.DeleteEndpoint(want[1]); err != nil {
			t.Error(err)
		}
		endpoints, err = c.Endpoints()
		if err != nil || len(endpoints) != 3 || endpoints[0].Flags != pathmanager.Subflow|pathmanager.Backup {
			t.Errorf("endpoints %+v, %v", endpoints, err)
		}
		if err := c.AddEndpoint(want[0]); err == nil {
			t.Error("added twice")
		}
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
		if endpoints, err = c.Endpoints(); err != nil || len(endpoints) != 0 {
			t.Errorf("endpoints %+v, %v", endpoints, err)
		}
	})
	h.SetLimits(3, 5)
	if subflows, announced := h.Limits(); subflows != 3 || announced != 5 {
		t.Errorf("limits %d, %d", subflows, announced)
	}
	a := netip.MustParseAddr("10.9.0.1")
	h.AddEndpoint(a, mptcptest.Subflow)
	h.SetEndpoint(a, mptcptest.Backup)
	h.RemoveEndpoint(a)
}
