package mptcp_test

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp"
)

func TestStrings(t *testing.T) {
	for s, want := range map[mptcp.State]string{
		mptcp.Unknown: "unknown", mptcp.TCP: "tcp", mptcp.Fallback: "fallback", mptcp.Multipath: "multipath", 99: "unknown",
	} {
		if s.String() != want {
			t.Errorf("State(%d) = %q, want %q", s, s, want)
		}
	}
	seen := make(map[string]bool)
	for r := mptcp.ReasonUnknown; r <= mptcp.ReasonNoSubflow; r++ {
		word, sentence := r.String(), r.Explain()
		if word == "" || seen[word] || strings.ContainsAny(word, " _A") {
			t.Errorf("Reason(%d) = %q: want a word of its own", r, word)
		}
		if !strings.HasSuffix(sentence, ".") || strings.Count(sentence, ". ") > 0 {
			t.Errorf("Reason(%d) explains %q: want one sentence", r, sentence)
		}
		seen[word] = true
	}
	if mptcp.Reason(200).String() != "unknown" || mptcp.Reason(200).Explain() == "" {
		t.Error("a reason out of range has no words")
	}
	st := mptcp.Status{State: mptcp.Fallback, Reason: mptcp.ReasonNotAnswered}
	if st.String() != "fallback (not-answered)" {
		t.Error(st)
	}
	b, err := json.Marshal(map[string]any{"state": st.State, "reason": st.Reason})
	if err != nil || string(b) != `{"reason":"not-answered","state":"fallback"}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestNotTCP(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := mptcp.Inspect(a); !errors.Is(err, mptcp.ErrNotTCP) {
		t.Errorf("Inspect(net.Pipe) = %v", err)
	}
	if _, err := mptcp.Inspect(nil); !errors.Is(err, mptcp.ErrNotTCP) {
		t.Errorf("Inspect(nil) = %v", err)
	}
	for _, addr := range []net.Addr{nil, &net.UnixAddr{Name: "x"}, (*net.TCPAddr)(nil)} {
		if _, err := mptcp.InspectAddr(addr); !errors.Is(err, mptcp.ErrNotTCP) {
			t.Errorf("InspectAddr(%#v) = %v", addr, err)
		}
	}
	if _, err := mptcp.InspectAddr(&net.TCPAddr{}); !errors.Is(err, mptcp.ErrUntracked) {
		t.Errorf("InspectAddr of a stranger = %v", err)
	}
	if _, err := mptcp.InspectAddrs(&net.TCPAddr{}, &net.TCPAddr{}); !errors.Is(err, mptcp.ErrUntracked) {
		t.Errorf("InspectAddrs of strangers = %v", err)
	}
}
