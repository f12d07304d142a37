package grpcdialer

import (
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/statustext"
)

func TestTrailer(t *testing.T) {
	for _, c := range []struct {
		status mptcp.Status
		value  string
	}{
		{mptcp.Status{}, "unknown"},
		{mptcp.Status{State: mptcp.Multipath}, "multipath"},
		{mptcp.Status{State: mptcp.Multipath, Confirmed: true}, "multipath; confirmed"},
		{mptcp.Status{State: mptcp.TCP, Reason: mptcp.ReasonNotOffered}, "tcp; reason=not-offered"},
		{mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonMidStream}, "fallback; reason=mid-stream"},
		{mptcp.Status{State: mptcp.Unknown, Reason: mptcp.ReasonNoSubflow}, "unknown; reason=no-subflow"},
	} {
		if got := statustext.Format(c.status); got != c.value {
			t.Errorf("%v is sent as %q, want %q", c.status, got, c.value)
		}
		if got, ok := FromTrailer(metadata.Pairs(TrailerKey, c.value)); !ok || got != c.status {
			t.Errorf("%q is read as %v, %v", c.value, got, ok)
		}
	}
	for value, want := range map[string]mptcp.Status{
		"":                                  {},
		"MULTIPATH":                         {},
		"hyperpath; confirmed":              {}, // of a later version
		"tcp; confirmed":                    {State: mptcp.TCP},
		"tcp;reason=":                       {State: mptcp.TCP},
		"tcp;reason=full-moon":              {State: mptcp.TCP},
		" fallback ;; reason=not-answered ": {State: mptcp.Fallback, Reason: mptcp.ReasonNotAnswered},
	} {
		if got, ok := FromTrailer(metadata.Pairs(TrailerKey, value)); !ok || got != want {
			t.Errorf("%q is read as %v, %v, want %v", value, got, ok, want)
		}
	}
	if _, ok := FromTrailer(nil); ok {
		t.Error("something was read from nothing")
	}
}

// Every word that this version sends, it can read.
func TestTrailerWords(t *testing.T) {
	for state := mptcp.Unknown; state <= mptcp.Multipath; state++ {
		for reason := range mptcp.Reason(255) {
			want := mptcp.Status{State: state, Reason: reason}
			if reason != mptcp.ReasonUnknown && reason.String() == mptcp.ReasonUnknown.String() {
				break // past the last one
			}
			if got, _ := FromTrailer(metadata.Pairs(TrailerKey, statustext.Format(want))); got != want {
				t.Errorf("sent %v, read %v", want, got)
			}
		}
	}
}

func FuzzFromTrailer(f *testing.F) {
	f.Add("multipath; confirmed")
	f.Add("tcp; reason=not-offered")
	f.Add(";;=;")
	f.Fuzz(func(t *testing.T, value string) {
		s, ok := FromTrailer(metadata.Pairs(TrailerKey, value))
		if !ok {
			t.Fatal("not read")
		}
		if again, _ := FromTrailer(metadata.Pairs(TrailerKey, statustext.Format(s))); again != s {
			t.Fatalf("%q is read as %v, sent again and read as %v", value, s, again)
		}
	})
}
