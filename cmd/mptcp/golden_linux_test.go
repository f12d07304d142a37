package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// steady replaces what is different in every run.
func steady(s string) string {
	for _, r := range []struct{ what, by string }{
		{`\b[0-9.]+(ns|µs|ms|s)\b`, "TIME"},
		{`in\s+TIME;\s+TCP\s+in\s+TIME`, "in TIME; TCP in TIME"}, // wherever the line was broken
		{`(\d\.\d+\.\d+\.\d+):\d{5}\b`, "$1:PORT"},
		{`on, Linux .*`, "on, Linux VERSION"},
		{`(?s)counters       .*?\n( {19}[^\n]*\n)*`, "counters       NUMBERS\n"},
		{`(?m) +$`, ""},
	} {
		s = regexp.MustCompile(r.what).ReplaceAllString(s, r.by)
	}
	return s
}

// TestDoctorText compares what a person reads with files in testdata.
func TestDoctorText(t *testing.T) {
	for name, breakIt := range map[string]string{
		"healthy": "true",
		"broken":  "ip mptcp endpoint flush && ip mptcp limits set subflows 0 add_addr_accepted 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, 2)
			s.serve(":" + port)
			shell(t, s.client, breakIt)
			got := steady(finish(t, commandIn(s.client, "doctor", s.target)).out)
			file := filepath.Join("testdata", "doctor-"+name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is otherwise (-update writes it anew):\n%s", file, got)
			}
		})
	}
}
