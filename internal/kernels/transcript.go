package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

// A transcript is what a guest has said.
type transcript struct {
	Kernel   string // uname -r
	Programs []*program
	Facts    *wire.Facts // of the survey
	Broken   []string    // why the transcript is not to be trusted
}

// A program is what came of one that the guest ran.
type program struct {
	Name   string
	Listed []wire.Test // what is in a test binary
	Tests  []*test     // that have begun, and subtests
	Exit   *wire.Exit  // nil: it never ended
	Output []string    // that belongs to no test
}

// A test is one of a test binary, or a subtest.
type test struct {
	Name   string
	Result string // "PASS", "FAIL", "SKIP"; empty: it never ended
	Log    []string
}

// longest is the longest line that a guest may send.
const longest = 4 << 20

// parse reads a transcript to its end. What cannot be understood is in Broken.
func parse(r io.Reader) *transcript {
	t := new(transcript)
	p := parser{transcript: t}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	for n := 1; lines.Scan(); n++ {
		if err := p.line(lines.Bytes()); err != nil {
			t.Broken = append(t.Broken, fmt.Sprintf("line %d of the guest's: %v", n, err))
		}
	}
	if err := lines.Err(); err != nil {
		t.Broken = append(t.Broken, fmt.Sprintf("reading what the guest said: %v", err))
	}
	if !p.end {
		t.Broken = append(t.Broken, "the guest stopped before it had done everything")
	}
	return t
}

// and returns what t, if there is one yet, and another guest of the same kernel
// have said.
func (t *transcript) and(other *transcript) *transcript {
	if t == nil {
		return other
	}
	if other.Kernel != t.Kernel {
		t.Broken = append(t.Broken, fmt.Sprintf("one guest says that it is %q, and another one %q", t.Kernel, other.Kernel))
	}
	if other.Facts != nil {
		t.Facts = other.Facts
	}
	t.Programs = append(t.Programs, other.Programs...)
	t.Broken = append(t.Broken, other.Broken...)
	return t
}

type parser struct {
	*transcript
	end     bool
	current map[string]*test // of each program: whose output comes
}

func (p *parser) line(b []byte) error {
	var m wire.Message
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return fmt.Errorf("%w: %.80q", err, b)
	}
	if p.end {
		return fmt.Errorf("after the end: %.80q", b)
	}
	switch {
	case m.End:
		p.end = true
	case m.Fatal != "":
		return fmt.Errorf("the guest cannot go on: %s", m.Fatal)
	case m.Kernel != "" && p.Kernel == "":
		p.Kernel = m.Kernel
	case m.Run != "" && m.Tests != nil:
		if g := p.program(m.Run); g.Listed == nil {
			g.Listed = m.Tests
			return nil
		}
		return fmt.Errorf("%s lists its tests twice", m.Run)
	case m.Run != "" && m.Test != nil:
		delete(p.current, m.Run)
		return p.program(m.Run).ended(m.Test)
	case m.Run != "" && m.Exit != nil:
		if g := p.program(m.Run); g.Exit == nil {
			g.Exit = m.Exit
			return nil
		}
		return fmt.Errorf("%s has ended twice", m.Run)
	case m.Run != "" && m.Out != nil:
		return p.output(p.program(m.Run), *m.Out)
	default:
		return fmt.Errorf("not a message: %.80q", b)
	}
	return nil
}

// ended notes how the process of a test did.
func (g *program) ended(t *wire.Test) error {
	i := slices.IndexFunc(g.Listed, func(l wire.Test) bool { return l.Name == t.Name })
	if i < 0 || t.Exit == nil || g.Listed[i].Skip || g.Listed[i].Exit != nil {
		return fmt.Errorf("%s: %s has ended, which has not begun", g.Name, t.Name)
	}
	g.Listed[i].Exit = t.Exit
	return nil
}

func (p *parser) program(name string) *program {
	for _, g := range p.Programs {
		if g.Name == name {
			return g
		}
	}
	g := &program{Name: name}
	p.Programs = append(p.Programs, g)
	return g
}

// mark begins what package testing itself says, with -test.v=test2json.
const mark = "\x16"

// output takes a line of a program. The mark may follow something that a test
// has written without a newline.
func (p *parser) output(g *program, text string) error {
	if facts, ok := strings.CutPrefix(text, wire.FactsMark); ok {
		p.Facts = new(wire.Facts)
		return json.Unmarshal([]byte(facts), p.Facts)
	}
	before, said, ok := strings.Cut(text, mark)
	if p.current == nil {
		p.current = make(map[string]*test)
	}
	if before != "" {
		if t := p.current[g.Name]; t != nil {
			t.Log = append(t.Log, before)
		} else {
			g.Output = append(g.Output, before)
		}
	}
	if !ok {
		return nil
	}
	said = strings.TrimLeft(said, " ")
	if word, name, ok := strings.Cut(strings.TrimPrefix(said, "=== "), " "); ok && strings.HasPrefix(said, "=== ") {
		name = strings.TrimSpace(name)
		switch {
		case word != "RUN" && word != "NAME" && word != "CONT" && word != "PAUSE":
		case name == "" || word == "PAUSE":
			p.current[g.Name] = nil
		default:
			p.current[g.Name] = g.test(name)
		}
		return nil
	}
	if rest, ok := strings.CutPrefix(said, "--- "); ok {
		result, name, ok := strings.Cut(rest, ": ")
		if i := strings.LastIndex(name, " ("); ok && i > 0 {
			t := g.test(name[:i])
			t.Result, p.current[g.Name] = result, t
		}
	}
	return nil
}

func (g *program) test(name string) *test {
	for _, t := range g.Tests {
		if t.Name == name {
			return t
		}
	}
	t := &test{Name: name}
	g.Tests = append(g.Tests, t)
	return t
}

// failed lists the tests that did not pass, without those whose subtests tell
// why.
func (g *program) failed() []*test {
	var list []*test
	for _, t := range g.Tests {
		if t.Result == "PASS" {
			continue
		}
		inner := false
		for _, s := range g.Tests {
			inner = inner || s.Result != "PASS" && strings.HasPrefix(s.Name, t.Name+"/")
		}
		if !inner {
			list = append(list, t)
		}
	}
	return list
}

// silent says what ended otherwise than its tests say: a process without a
// result, or with a result that its exit code contradicts.
func (g *program) silent() (list []string) {
	for _, l := range g.Listed {
		if l.Skip {
			continue
		}
		var of *test
		bad := false
		for _, t := range g.Tests {
			if top, _, _ := strings.Cut(t.Name, "/"); top == l.Name {
				bad = bad || t.Result != "PASS" && t.Result != "SKIP"
			}
			if t.Name == l.Name {
				of = t
			}
		}
		switch {
		case l.Exit == nil:
			list = append(list, l.Name+": its process never ended")
		case of == nil:
			list = append(list, fmt.Sprintf("%s: it never began, and its process ended: %+v", l.Name, *l.Exit))
		case l.Exit.Code != 0 && !bad:
			list = append(list, fmt.Sprintf("%s: %s, and its process ended otherwise: %+v", l.Name, of.Result, *l.Exit))
		case l.Exit.Code == 0 && bad:
			list = append(list, fmt.Sprintf("%s: it failed, and its process ended well", l.Name))
		}
	}
	return list
}

// logOf is the log of a test. To that of one that did not end belongs what the
// process said at its end, wherever that stands.
func (g *program) logOf(t *test) []string {
	if t.Result != "" {
		return t.Log
	}
	log := slices.Clone(t.Log)
	top, _, _ := strings.Cut(t.Name, "/")
	for _, s := range g.Tests {
		if first, _, _ := strings.Cut(s.Name, "/"); first != top {
			continue
		}
		if i := slices.IndexFunc(s.Log, func(line string) bool { return strings.HasPrefix(line, "panic: ") }); i >= 0 {
			log = append(log, s.Log[i:]...)
		}
	}
	return log
}

// passed counts the tests that did.
func (g *program) passed() (n int) {
	for _, t := range g.Tests {
		if t.Result == "PASS" {
			n++
		}
	}
	return n
}
