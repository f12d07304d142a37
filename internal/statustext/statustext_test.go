package statustext

import (
	"testing"

	"github.com/multipath-go/mptcp"
)

func TestRoundTrip(t *testing.T) {
	for _, s := range []mptcp.Status{
		{},
		{State: mptcp.Multipath, Confirmed: true},
		{State: mptcp.Multipath},
		{State: mptcp.Fallback, Reason: mptcp.ReasonNotAnswered},
		{State: mptcp.TCP, Reason: mptcp.ReasonNotOffered},
		{State: mptcp.Unknown, Reason: mptcp.ReasonNoSubflow},
	} {
		if got := Parse(Format(s)); got != s {
			t.Errorf("%v was written %q and read %v", s, Format(s), got)
		}
	}
	for text, want := range map[string]mptcp.Status{
		"":                                  {},
		"quic; reason=not-offered":          {Reason: mptcp.ReasonNotOffered},
		" multipath ;  confirmed ; new=1":   {State: mptcp.Multipath, Confirmed: true},
		"fallback; reason=solar-flare":      {State: mptcp.Fallback},
		"tcp; confirmed; reason=remembered": {State: mptcp.TCP, Reason: mptcp.ReasonRemembered},
	} {
		if got := Parse(text); got != want {
			t.Errorf("%q was read %v, want %v", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("tcp; reason=not-offered")
	f.Fuzz(func(t *testing.T, text string) {
		s := Parse(text)
		if again := Parse(Format(s)); again != s {
			t.Fatalf("%q: %v, then %v", text, s, again)
		}
	})
}
