package faultmatrix

import (
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }

// TestMatrix holds every cell against the list of faults. The cells have been
// measured, several at a time, when the subtests begin.
func TestMatrix(t *testing.T) {
	results := Run(Cells(nil))
	for _, r := range results {
		t.Run(r.String(), func(t *testing.T) {
			t.Logf("dial %v, %v; client %v; server %v; RPCs %v, %v, %v; stall %v",
				r.DialTime, r.DialErr, r.Client, r.Server, r.First, r.Stream, r.Again, r.Stall)
			if len(r.Before) > 0 {
				t.Logf("measured twice: %s", strings.Join(r.Before, "; "))
			}
			if wrong := r.Check(); len(wrong) > 0 {
				t.Errorf("%s\nclient's counters: %v\nserver's counters: %v\n%s", strings.Join(wrong, "\n"),
					r.ClientMoved, r.ServerMoved, strings.Join(r.Log, "\n"))
			}
		})
	}
}
