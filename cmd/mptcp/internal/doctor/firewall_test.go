package doctor

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// TestFirewallRule decodes rules as Linux 6.18 gives them back: those of nft 1.0.6,
// and those of iptables-nft 1.8.9. In testdata/rules.txt there is what becomes of
// a packet with the option ("-": nothing that it would not without), the rule as
// it was typed, and, in the next line, the message.
func TestFirewallRule(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 30 || len(lines)%2 != 0 {
		t.Fatalf("%d lines", len(lines))
	}
	for i := 0; i < len(lines); i += 2 {
		does, rule, _ := strings.Cut(lines[i], " ")
		message, err := hex.DecodeString(lines[i+1])
		if err != nil {
			t.Fatal(err)
		}
		r, found := parseFirewallRule(message)
		if want := does != "-"; found != want || want && r.Does != does {
			t.Errorf("%q: %q, %v; want %q", rule, r.Does, found, does)
		}
		if r.Family != "ip" || r.Table == "" || r.Chain == "" || r.Handle == 0 {
			t.Errorf("%q: %+v", rule, r)
		}
		for n := range message { // what is cut off is no rule that does something else
			if cut, found := parseFirewallRule(message[:n]); found && cut.Does != does {
				t.Errorf("%q, of it %d bytes: %q", rule, n, cut.Does)
			}
		}
	}
}

func FuzzFirewallRule(f *testing.F) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if message, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
			f.Add(message)
		}
	}
	f.Fuzz(func(_ *testing.T, b []byte) { parseFirewallRule(b) })
}
