package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
)

// A difference is a number of tests that are right to fail on a kernel: what
// they ask for is not there, and they say so in these words. It is none if what
// this module said was wrong. The number is exact, so that nothing that passes
// today begins to fail unseen, and nobody adds a test without looking. Where the
// moment decides, it is the largest.
type difference struct {
	On    map[string]int // kernels, and how many tests differ on each
	Suite string         // or "faultmatrix"
	Test  *regexp.Regexp // its whole name; of a subtest, with slashes
	Says  *regexp.Regexp // in a line of its log; of faultmatrix, in each line
	Most  bool           // the number is not always reached
	Why   string         // a sentence
}

// matrix is how the cells of the survey are called in [differences].
const matrix = "faultmatrix"

// A judgement is what came of one kernel.
type judgement struct {
	kernel    *kernel
	files     *files
	said      *transcript
	wrong     []string
	differ    map[*difference][]string // tests that differ as expected
	passed    int
	cells, ok int // of the matrix
	ran       ran
}

// series is what the kernel calls itself.
func (j *judgement) series() string { return cmp.Or(seriesOf(j.said.Kernel), j.kernel.Series) }

// judge holds a transcript against what is true of the kernel.
func judge(k *kernel, f *files, t *transcript) *judgement {
	j := &judgement{kernel: k, files: f, said: t, differ: make(map[*difference][]string)}
	j.wrong = append(j.wrong, t.Broken...)
	if !k.is(t.Kernel) {
		j.fail("the newest kernel of Debian %s is %q, and no longer a %s: see what is true of it, and change the list of kernels",
			k.Suite, t.Kernel, k.Series)
	}
	for _, s := range suites {
		if k.Truth.Without && !s.bare {
			continue
		}
		j.suite(&s)
	}
	if t.Facts == nil {
		j.fail("survey: it said nothing")
	} else {
		j.facts(t.Facts)
		j.matrix(t.Facts.Cells)
	}
	for i := range differences {
		d := &differences[i]
		if tests, want := j.differ[d], d.On[k.Series]; len(tests) != want && !(d.Most && len(tests) < want) {
			j.fail("%s: %d tests fail with %q, and not %d: %s: %s", d.Suite, len(tests), d.Says, want, d.Why, strings.Join(tests, ", "))
		}
	}
	return j
}

func (j *judgement) fail(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// suite looks at the tests of a binary.
func (j *judgement) suite(s *suite) {
	i := slices.IndexFunc(j.said.Programs, func(p *program) bool { return p.Name == s.name })
	if i < 0 {
		j.fail("%s: it did not run", s.name)
		return
	}
	p := j.said.Programs[i]
	if p.Exit == nil || p.Exit.Error != "" || p.Exit.Code != 0 {
		j.fail("%s: %+v\n%s", s.name, p.Exit, strings.Join(last(p.Output, 20), "\n"))
	}
	if s.name == survey {
		return
	}
	if p.passed() == 0 {
		j.fail("%s: no test passed\n%s", s.name, strings.Join(last(p.Output, 20), "\n"))
	}
	j.passed += p.passed()
	for _, t := range p.failed() {
		if !j.excused(s.name, t.Name, p.logOf(t), false) {
			j.fail("%s: %s: %s\n%s", s.name, t.Name, cmp.Or(t.Result, "did not end"), strings.Join(last(t.Log, 30), "\n"))
		}
	}
	for _, text := range p.silent() {
		j.fail("%s: %s\n%s", s.name, text, strings.Join(last(p.Output, 20), "\n"))
	}
}

func last(lines []string, n int) []string { return lines[max(0, len(lines)-n):] }

// excused looks for a difference that says why a test failed.
func (j *judgement) excused(suite, test string, log []string, each bool) bool {
	for i := range differences {
		d := &differences[i]
		if d.Suite != suite || d.On[j.kernel.Series] == 0 || d.Test.FindString(test) != test {
			continue
		}
		not := func(line string) bool { return !d.Says.MatchString(line) }
		if each && !slices.ContainsFunc(log, not) || !each && slices.ContainsFunc(log, d.Says.MatchString) {
			j.differ[d] = append(j.differ[d], test)
			return true
		}
	}
	return false
}

// matrix looks at the cells of the matrix of faults.
func (j *judgement) matrix(cells []wire.Cell) {
	if len(cells) == 0 != j.kernel.Truth.Without {
		j.fail("%s: %d cells", matrix, len(cells))
	}
	for _, c := range cells {
		j.cells++
		name := c.Fault + ", " + c.Family
		switch {
		case len(c.Wrong) == 0:
			j.ok++
		case !j.excused(matrix, name, c.Wrong, true):
			j.fail("%s: %s:\n%s", matrix, name, strings.Join(c.Wrong, "\n"))
		}
	}
}

// facts holds what the public API said against what is so.
func (j *judgement) facts(f *wire.Facts) {
	t := &j.kernel.Truth
	want := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			j.fail("%s: %v, want %v", what, got, want)
		}
	}
	want("broken", f.Broken.Text, "")
	want("recorded", f.RecordedError.Text, "")
	want("size of struct mptcp_info", f.InfoSize, t.InfoSize)
	answers := make(map[string]wire.Answer)
	for _, a := range f.PathManager {
		answers[a.Name] = a
	}
	if t.Without {
		want("Probe", fmt.Sprint(f.Reason, f.Unsupported), "host-withouttrue")
		want("client's status", f.Client.Early+", "+f.Client.Status, "fallback (host-without), fallback (host-without)")
		want("server's status", f.Server.Early+", "+f.Server.Status, "tcp (host-without), tcp (host-without)")
		want("ReadCounters is unsupported", f.CountersError.Unsupported, true)
		want("pathmanager.Dial is unsupported", answers["dial"].Unsupported, true)
		j.end("client", &f.Client, 0)
		j.end("server", &f.Server, 0)
		return
	}
	want("Probe", f.Probe, "")
	want("client's status", f.Client.Early+", "+f.Client.Status, "multipath, multipath")
	want("server's status", f.Server.Early+", "+f.Server.Status, "multipath, multipath")
	want("status of a TCP client's connection", f.Plain.Early+", "+f.Plain.Status, "tcp (not-offered), tcp (not-offered)")
	j.end("client", &f.Client, t.InfoSize)
	j.end("server", &f.Server, t.InfoSize)
	want("ReadCounters", f.CountersError.Text, "")
	if !slices.Contains(f.Counters, "MPCapableSYNTX") {
		j.fail("ReadCounters: no MPCapableSYNTX in %v", f.Counters)
	}
	for _, name := range newCounters {
		want("counter "+name, slices.Contains(f.Counters, name), slices.Contains(t.Counters, name))
	}
	want("endpoints", kept(f.PathManager), t.EndpointsMax)
	for _, a := range f.PathManager {
		switch {
		case a.Name == "events heard" || strings.HasPrefix(a.Name, "add endpoint laminar"):
		case a.Name == "endpoints of a connection" && !t.ConnectionEndpoints:
			want(a.Name+" is unsupported", a.Unsupported, true)
		default:
			want("path manager: "+a.Name, a.Text, "")
		}
	}
	for _, heard := range []string{"created", "established", "sub-established", "sub-closed"} {
		if !slices.Contains(strings.Fields(answers["events heard"].Text), heard) {
			j.fail("events: no %s in %q", heard, answers["events heard"].Text)
		}
	}
}

// end holds what was said of one end against what a struct of that size can tell.
func (j *judgement) end(name string, e *wire.End, size int) {
	multipath := size > 0
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"bytes told", e.Bytes, size >= mptcpinfo.SizeBytes},
		{"acknowledged bytes told", e.Acked, size >= mptcpinfo.SizeBytes},
		{"retransmits told", e.Retransmits, size >= mptcpinfo.SizeBytes},
		{"number of subflows told", e.Subflows, size >= mptcpinfo.SizeSubflowsTotal},
		{"idle times told", e.Idle, size >= mptcpinfo.SizeLast},
		{"confirmed", e.Confirmed, size >= mptcpinfo.SizeBytes},
		{"a token", e.Token, multipath},
		{"checksum", e.Checksum, multipath && j.kernel.Truth.Checksum},
		{"identities of subflows", e.IDs, size >= mptcpinfo.SizeBytes},
	} {
		if c.got != c.want {
			j.fail("%s: %s: %v, want %v", name, c.what, c.got, c.want)
		}
	}
	if e.List != 1 || e.ListError.Text != "" {
		j.fail("%s: Subflows: %d, %s: want one", name, e.List, e.ListError.Text)
	}
	for _, w := range e.Wrong {
		j.fail("%s: %s", name, w)
	}
}

// kept is how many endpoints a namespace took.
func kept(list []wire.Answer) (n int) {
	for _, a := range list {
		if _, err := fmt.Sscanf(a.Name, "endpoints kept: %d", &n); err == nil {
			return n
		}
	}
	return 0
}
