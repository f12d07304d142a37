package pathmanager_test

import (
	"net/netip"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

func BenchmarkDial(b *testing.B) {
	mptcptest.New(b).Host("h").Do(func() {
		b.ReportAllocs()
		for b.Loop() {
			c, err := pathmanager.Dial()
			if err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
}

func BenchmarkEndpoints(b *testing.B) {
	c := dial(b, mptcptest.New(b).Host("h"))
	a := netip.MustParseAddr("10.9.0.1")
	for range 8 {
		must(b, c.AddEndpoint(pathmanager.Endpoint{Addr: a, Flags: pathmanager.Subflow}))
		a = a.Next()
	}
	b.ReportAllocs()
	for b.Loop() {
		if all, err := c.Endpoints(); err != nil || len(all) != 8 {
			b.Fatal(all, err)
		}
	}
}

// BenchmarkSetFlags is a command that changes something.
func BenchmarkSetFlags(b *testing.B) {
	c := dial(b, mptcptest.New(b).Host("h"))
	must(b, c.AddEndpoint(pathmanager.Endpoint{ID: 1, Addr: netip.MustParseAddr("10.9.0.1"), Flags: pathmanager.Subflow}))
	b.ReportAllocs()
	for b.Loop() {
		must(b, c.SetFlags(pathmanager.Endpoint{ID: 1, Flags: pathmanager.Backup}))
	}
}
