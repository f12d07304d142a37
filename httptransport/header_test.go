package httptransport

import (
	"net/http"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/statustext"
)

// Every status survives the header.
func TestHeaderRoundTrip(t *testing.T) {
	for state := mptcp.Unknown; state <= mptcp.Multipath; state++ {
		for reason := mptcp.ReasonUnknown; reason <= mptcp.ReasonNoSubflow; reason++ {
			for _, confirmed := range []bool{false, true} {
				want := mptcp.Status{State: state, Reason: reason, Confirmed: confirmed && state == mptcp.Multipath}
				got, ok := FromHeader(http.Header{StatusHeader: {statustext.Format(want)}})
				if !ok || got != want {
					t.Errorf("%q: %+v, %v", statustext.Format(want), got, ok)
				}
			}
		}
	}
}

func TestFromHeader(t *testing.T) {
	for value, want := range map[string]mptcp.Status{
		"":                                  {},
		"future":                            {},
		" tcp ;reason=not-offered;x":        {State: mptcp.TCP, Reason: mptcp.ReasonNotOffered},
		"fallback; reason=future":           {State: mptcp.Fallback},
		"tcp; confirmed":                    {State: mptcp.TCP},
		"multipath;confirmed;reason=;;x=y;": {State: mptcp.Multipath, Confirmed: true},
	} {
		if got, ok := FromHeader(http.Header{StatusHeader: {value}}); !ok || got != want {
			t.Errorf("%q: %+v, %v", value, got, ok)
		}
	}
	if _, ok := FromHeader(nil); ok {
		t.Error("a status out of nothing")
	}
}

func FuzzFromHeader(f *testing.F) {
	f.Add("multipath; confirmed")
	f.Add("fallback; reason=not-answered")
	f.Fuzz(func(t *testing.T, value string) {
		s, _ := FromHeader(http.Header{StatusHeader: {value}})
		again, _ := FromHeader(http.Header{StatusHeader: {statustext.Format(s)}})
		if again != s {
			t.Errorf("%q: %+v, and again %+v", value, s, again)
		}
	})
}
