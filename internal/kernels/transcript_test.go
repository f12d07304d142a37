package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

const said = `{"kernel":"6.1.0-50-cloud-amd64"}
{"run":"root","tests":[{"name":"TestA"},{"name":"TestB"},{"name":"TestC"},{"name":"TestD","skip":true},{"name":"TestE"},{"name":"TestF"}]}
{"run":"root","out":"\u0016=== RUN   TestA"}
{"run":"root","out":"    a_test.go:1: of A"}
{"run":"root","out":"\u0016=== RUN   TestA/one"}
{"run":"root","out":"    a_test.go:2: of one"}
{"run":"root","out":"\u0016=== NAME  TestA"}
{"run":"root","out":"no newline\u0016--- FAIL: TestA (0.10s)"}
{"run":"root","out":"\u0016    --- FAIL: TestA/one (0.00s)"}
{"run":"root","out":"\u0016=== NAME  "}
{"run":"root","test":{"name":"TestA","exit":{"code":1,"took":5}}}
{"run":"root","out":"\u0016=== RUN   TestB"}
{"run":"root","out":"\u0016--- PASS: TestB (0.00s)"}
{"run":"root","test":{"name":"TestB","exit":{"code":0,"took":5}}}
{"run":"root","out":"\u0016=== RUN   TestC"}
{"run":"root","out":"panic: of C"}
{"run":"root","test":{"name":"TestC","exit":{"code":2,"took":5}}}
{"run":"root","out":"TestE dies in silence"}
{"run":"root","test":{"name":"TestE","exit":{"code":2,"took":5}}}
{"run":"root","out":"\u0016=== RUN   TestF"}
{"run":"root","out":"\u0016--- PASS: TestF (0.00s)"}
{"run":"root","out":"TestMain finds something"}
{"run":"root","test":{"name":"TestF","exit":{"code":1,"took":5}}}
{"run":"root","exit":{"code":0,"took":5}}
{"run":"survey","out":"facts: {\"infoSize\":96}"}
{"run":"survey","exit":{"code":0,"took":5}}
{"end":true}
`

func TestTranscript(t *testing.T) {
	got := parse(strings.NewReader(said))
	if len(got.Broken) > 0 || got.Kernel != "6.1.0-50-cloud-amd64" || len(got.Programs) != 2 || got.Facts == nil || got.Facts.InfoSize != 96 {
		t.Fatalf("%+v", got)
	}
	p := got.Programs[0]
	want := map[string]string{"TestA": "FAIL", "TestA/one": "FAIL", "TestB": "PASS", "TestC": "", "TestF": "PASS"}
	for _, tt := range p.Tests {
		if tt.Result != want[tt.Name] {
			t.Errorf("%s: %q", tt.Name, tt.Result)
		}
	}
	var failed []string
	for _, f := range p.failed() {
		failed = append(failed, f.Name+": "+strings.Join(f.Log, ";"))
	}
	if s := strings.Join(failed, "\n"); s != "TestA/one:     a_test.go:2: of one\nTestC: panic: of C" {
		t.Errorf("failed:\n%s", s)
	}
	if p.passed() != 2 || p.Exit.Code != 0 {
		t.Errorf("%d passed, exit %+v", p.passed(), p.Exit)
	}
	silent := p.silent()
	if len(silent) != 2 || !strings.HasPrefix(silent[0], "TestE: it never began") || !strings.HasPrefix(silent[1], "TestF: PASS, and") {
		t.Errorf("silent: %q", silent)
	}
}

func TestTranscriptBroken(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":         "",
		"no end":          `{"kernel":"6.1"}` + "\n",
		"not JSON":        "Kernel panic - not syncing\n" + `{"end":true}` + "\n",
		"unknown field":   `{"surprise":1}` + "\n" + `{"end":true}` + "\n",
		"no message":      `{}` + "\n" + `{"end":true}` + "\n",
		"fatal":           `{"fatal":"no disk"}` + "\n" + `{"end":true}` + "\n",
		"after the end":   `{"end":true}` + "\n" + `{"kernel":"6.1"}` + "\n",
		"ends twice":      strings.Repeat(`{"run":"a","exit":{"code":0,"took":1}}`+"\n", 2) + `{"end":true}` + "\n",
		"lists twice":     strings.Repeat(`{"run":"a","tests":[{"name":"A"}]}`+"\n", 2) + `{"end":true}` + "\n",
		"not listed":      `{"run":"a","test":{"name":"A","exit":{"code":0,"took":1}}}` + "\n" + `{"end":true}` + "\n",
		"two kernels":     `{"kernel":"6.1"}` + "\n" + `{"kernel":"6.2"}` + "\n" + `{"end":true}` + "\n",
		"facts of no use": `{"run":"survey","out":"facts: ["}` + "\n" + `{"end":true}` + "\n",
	} {
		if got := parse(strings.NewReader(text)); len(got.Broken) == 0 {
			t.Errorf("%s: nothing is broken", name)
		}
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add(said)
	f.Add("{\"run\":\"a\",\"out\":\"\\u0016--- : \"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := parse(strings.NewReader(text))
		for _, p := range got.Programs {
			if p.passed()+len(p.failed()) > len(p.Tests) {
				t.Errorf("%d passed, %d failed of %d", p.passed(), len(p.failed()), len(p.Tests))
			}
		}
		if len(got.Broken) == 0 && !strings.Contains(text, `"end"`) && !strings.Contains(strings.ToLower(text), "end") {
			t.Error("without an end, and not broken")
		}
		judge(&kernels[0], &files{}, got) // must not panic
	})
}

// TestJudge: what is not excused fails, and what excuses nothing fails too.
func TestJudge(t *testing.T) {
	saved := differences
	defer func() { differences = saved }()
	k := &kernel{Series: "6.1", Suite: "bookworm"}
	broken := func(want string) {
		t.Helper()
		j := judge(k, &files{}, parse(strings.NewReader(said)))
		if s := strings.Join(j.wrong, "\n"); !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	differences = nil
	broken("TestA/one: FAIL")
	broken("TestC: ")
	broken("TestE: it never began")
	broken("TestF: PASS, and its process ended otherwise")
	broken("transport: it did not run")
	broken("size of struct mptcp_info: 96, want 0")
	broken("faultmatrix: 0 cells")
	one := difference{On: on{"6.1": 1}, Suite: "root", Test: regexp.MustCompile("TestA/.*"), Says: regexp.MustCompile("of one$"), Why: "for the test"}
	differences = []difference{one}
	j := judge(k, &files{}, parse(strings.NewReader(said)))
	if s := strings.Join(j.wrong, "\n"); strings.Contains(s, "TestA") || len(j.differ[&differences[0]]) != 1 {
		t.Errorf("not excused:\n%s", s)
	}
	differences[0].Says = regexp.MustCompile("another failure")
	broken("TestA/one: FAIL")
	broken(`0 tests fail with "another failure", and not 1`)
	differences[0].Says, differences[0].On["6.1"] = regexp.MustCompile("of one$"), 2
	broken(`1 tests fail with "of one$", and not 2`)
	k.Series = "6.12"
	broken("and no longer a 6.12")
	k.Newer = true
	broken("and no longer a 6.12")
}

// TestJudgeCells: a cell is excused only if each of its lines is.
func TestJudgeCells(t *testing.T) {
	saved := differences
	defer func() { differences = saved }()
	differences = []difference{{On: on{"6.1": 1}, Suite: matrix, Test: regexp.MustCompile(".*"), Says: regexp.MustCompile("counter"), Why: "for the test"}}
	j := &judgement{kernel: &kernel{Series: "6.1"}, differ: make(map[*difference][]string)}
	j.matrix([]wire.Cell{
		{Fault: "a", Wrong: []string{"counter x"}},
		{Fault: "b", Wrong: []string{"counter x", "client: tcp"}},
		{Fault: "c"},
	})
	if len(j.wrong) != 1 || !strings.Contains(j.wrong[0], "b, ") || j.ok != 1 || j.cells != 3 {
		t.Errorf("%d of %d, %q", j.ok, j.cells, j.wrong)
	}
}

// TestSeries: a suite that moves on is held to what was true of the series
// before, and no other is.
func TestSeries(t *testing.T) {
	for _, tt := range []struct {
		k       kernel
		release string
		want    bool
	}{
		{kernel{Series: "6.1"}, "6.1.0-50-cloud-amd64", true},
		{kernel{Series: "6.1"}, "6.12.94+deb13-cloud-amd64", false},
		{kernel{Series: "7.2"}, "7.3.1-cloud-amd64", false},
		{kernel{Series: "7.2", Newer: true}, "7.2.13+deb14-cloud-amd64", true},
		{kernel{Series: "7.2", Newer: true}, "7.10-rc1", true},
		{kernel{Series: "7.2", Newer: true}, "8.0.1-cloud-amd64", true},
		{kernel{Series: "7.2", Newer: true}, "6.12.94+deb13-cloud-amd64", false},
		{kernel{Series: "7.2", Newer: true}, "", false},
	} {
		if got := tt.k.is(tt.release); got != tt.want {
			t.Errorf("%+v is %q: %v", tt.k, tt.release, got)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(nil); err != nil || len(all) != len(kernels) {
		t.Errorf("%v, %v", all, err)
	}
	if one, err := choose([]string{"bookworm"}); err != nil || len(one) != 1 || one[0].Series != "6.1" {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := choose([]string{"2.6"}); err == nil || !strings.Contains(err.Error(), "6.12 (trixie)") {
		t.Errorf("%v", err)
	}
}
