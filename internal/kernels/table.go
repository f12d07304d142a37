package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

const head = `# What was found in each kernel

Written by ` + "`go run ./internal/kernels -write`" + `, which runs this module's tests in these kernels under QEMU: do
not edit. What each kernel gives by its history is in [kernels.md](kernels.md).

A dash stands for what the kernel does not have or tell, and this module then says so: an error that matches
` + "`errors.ErrUnsupported`" + `, or a last result that is false.

`

// document writes the table of all kernels.
func document(list []*judgement) string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(wrap(where(list)) + "\n")
	rows(&b, list)
	faults(&b, list)
	packages(&b, list)
	b.WriteString("\n## Tests that differ\n\nAll other tests of these packages pass. One more is an error, and so is one fewer, where it is not the\n")
	b.WriteString("moment that decides. A test is listed with what its failure says of the kernel.\n\n")
	for i := range differences {
		d := &differences[i]
		var where []string
		n := 0
		for _, j := range list {
			if tests := j.differ[d]; len(tests) > 0 {
				where = append(where, fmt.Sprintf("%s (%d)", j.series(), len(tests)))
				n += len(tests)
			}
		}
		if n > 0 {
			b.WriteString(wrap(fmt.Sprintf("- %s, on %s: %s", d.Suite, strings.Join(where, ", "), d.Why)))
		}
	}
	return b.String()
}

// where says when, with what, and in which time the kernels ran.
func where(list []*judgement) string {
	var versions []string
	var first, last time.Time
	for _, j := range list {
		r := j.ran
		if !slices.Contains(versions, r.QEMU) {
			versions = append(versions, r.QEMU)
		}
		if first.IsZero() || r.When.Before(first) {
			first = r.When
		}
		if end := r.When.Add(r.Took); end.After(last) {
			last = end
		}
	}
	return fmt.Sprintf("Made from the run of %s with QEMU %s, in which all kernels together took %v.",
		first.UTC().Format("2 January 2006"), strings.Join(versions, " and "), last.Sub(first).Round(time.Second))
}

// packages says which tests ran, and which did not.
func packages(b *strings.Builder, list []*judgement) {
	b.WriteString("\n## Packages\n\n| Package |")
	for _, j := range list {
		b.WriteString(" Linux " + j.series() + " |")
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(list)) + "|\n")
	var left []string
	for _, s := range suites {
		if s.name == survey {
			continue
		}
		fmt.Fprintf(b, "| %s |", s.path())
		var skipped []string
		for _, j := range list {
			i := slices.IndexFunc(j.said.Programs, func(p *program) bool { return p.Name == s.name })
			if i < 0 {
				b.WriteString(" – |")
				continue
			}
			n := 0
			for _, t := range j.said.Programs[i].Listed {
				switch {
				case !t.Skip:
					n++
				case !slices.Contains(skipped, t.Name):
					skipped = append(skipped, t.Name)
				}
			}
			fmt.Fprintf(b, " %d |", n)
		}
		b.WriteString("\n")
		if s.short {
			left = append(left, fmt.Sprintf("Package %s runs with -short.", s.path()))
		}
		if len(skipped) > 0 {
			left = append(left, fmt.Sprintf("Of package %s, not run: %s: %s.", s.path(), strings.Join(skipped, ", "), s.why))
		}
	}
	b.WriteString("\n" + wrap("The numbers are those of tests, examples and fuzz targets with their seeds; subtests are not counted. A dash "+
		"stands for a package all of whose tests need Multipath TCP. "+strings.Join(left, " ")+" All other packages are not run. "+
		"Those for gRPC, HTTP and metrics, mptcpz and the command ask the kernel through these, and what they do by themselves "+
		"does not depend on it; the tests of the laboratory, of whole programs, of handover and of floods would take longer than all of this. "+
		"The faults that internal/faultmatrix makes are those of the table above."))
}

func rows(b *strings.Builder, list []*judgement) {
	row := func(name string, cell func(*judgement, *wire.Facts) string) {
		b.WriteString("| " + name + " |")
		for _, j := range list {
			f := j.said.Facts
			if f == nil {
				f = new(wire.Facts)
			}
			text := cell(j, f)
			if text == "" {
				text = "–"
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	yes := func(ok bool) string {
		if ok {
			return "yes"
		}
		return ""
	}
	row("", func(j *judgement, _ *wire.Facts) string { return "Linux " + j.series() })
	b.WriteString("|---" + strings.Repeat("|---", len(list)) + "|\n")
	row("Debian", func(j *judgement, _ *wire.Facts) string { return j.kernel.Suite })
	row("package", func(j *judgement, _ *wire.Facts) string { return j.files.version })
	row("`mptcp.Probe`", func(_ *judgement, f *wire.Facts) string {
		if f.Probe == "" {
			return "it can"
		}
		return "`" + f.Reason + "`"
	})
	row("status of a client", func(_ *judgement, f *wire.Facts) string { return f.Client.Status })
	row("status of a server", func(_ *judgement, f *wire.Facts) string { return f.Server.Status })
	row("… whose client uses TCP", func(_ *judgement, f *wire.Facts) string { return f.Plain.Status })
	row("bytes of `struct mptcp_info`", func(_ *judgement, f *wire.Facts) string {
		if f.InfoSize == 0 {
			return ""
		}
		return fmt.Sprint(f.InfoSize)
	})
	for _, r := range []struct {
		name string
		told func(*wire.End) bool
	}{
		{"`Status.Confirmed` before a second subflow", func(e *wire.End) bool { return e.Confirmed }},
		{"`Status.Checksum`", func(e *wire.End) bool { return e.Checksum }},
		{"`Status.Bytes`, `Acked`, `Retransmits`", func(e *wire.End) bool { return e.Bytes && e.Acked && e.Retransmits }},
		{"`Status.Subflows`", func(e *wire.End) bool { return e.Subflows }},
		{"`Status.Idle`", func(e *wire.End) bool { return e.Idle }},
		{"`mptcp.Subflows`", func(e *wire.End) bool { return e.List > 0 && e.ListError.Text == "" }},
		{"… with identities", func(e *wire.End) bool { return e.IDs }},
	} {
		row(r.name, func(_ *judgement, f *wire.Facts) string { return yes(r.told(&f.Client)) })
	}
	row("counters", func(_ *judgement, f *wire.Facts) string {
		if len(f.Counters) == 0 {
			return ""
		}
		return fmt.Sprint(len(f.Counters))
	})
	for _, name := range newCounters {
		row("… "+name, func(_ *judgement, f *wire.Facts) string { return yes(slices.Contains(f.Counters, name)) })
	}
	row("endpoints of a host", func(_ *judgement, f *wire.Facts) string {
		if n := kept(f.PathManager); n > 0 {
			return fmt.Sprint(n)
		}
		return ""
	})
	for _, name := range []string{"events", "path manager in user space", "create subflow", "endpoints of a connection"} {
		row("path manager: "+name, func(_ *judgement, f *wire.Facts) string {
			i := slices.IndexFunc(f.PathManager, func(a wire.Answer) bool { return a.Name == name })
			return yes(i >= 0 && f.PathManager[i].Text == "")
		})
	}
	for _, o := range optionNames(list) {
		row("`"+o+"` on a connection", func(_ *judgement, f *wire.Facts) string {
			i := slices.IndexFunc(f.Options, func(a wire.Answer) bool { return a.Name == o })
			return yes(i >= 0 && f.Options[i].Text == "")
		})
	}
	row("sysctls `net.mptcp`", func(_ *judgement, f *wire.Facts) string {
		if len(f.Sysctls) == 0 {
			return ""
		}
		return fmt.Sprint(len(f.Sysctls))
	})
	row("fault matrix, cells as on Linux 6.18", func(j *judgement, _ *wire.Facts) string {
		if j.cells == 0 {
			return ""
		}
		return fmt.Sprintf("%d of %d", j.ok, j.cells)
	})
	row("tests passed", func(j *judgement, _ *wire.Facts) string { return fmt.Sprint(j.passed) })
	row("processor time", func(j *judgement, _ *wire.Facts) string { return j.ran.CPU.Round(time.Second).String() })
}

func optionNames(list []*judgement) (names []string) {
	for _, j := range list {
		if j.said.Facts == nil {
			continue
		}
		for _, o := range j.said.Facts.Options {
			if !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
		}
	}
	return names
}

// faults writes what both ends said of each fault, where all kernels agree in
// one column.
func faults(b *strings.Builder, list []*judgement) {
	list = slices.DeleteFunc(slices.Clone(list), func(j *judgement) bool { return j.cells == 0 || j.said.Facts == nil })
	if len(list) == 0 {
		return
	}
	names := make([]string, len(list))
	for i, j := range list {
		names[i] = j.series()
	}
	fmt.Fprintf(b, "\n## What is said of each fault\n\nBy the dialer and the listener of package transport, with IPv4; client / server. ")
	b.WriteString("The faults are those of\n[fault-matrix.md](fault-matrix.md). The survey has CAP_NET_ADMIN in its network: without it, Linux before\n")
	b.WriteString("6.15 does not say why a connection fell back.\n\n| Fault | Linux | Client | Server |\n|---|---|---|---|\n")
	for _, c := range list[len(list)-1].said.Facts.Cells {
		if c.Family != "IPv4" {
			continue
		}
		// Kernels that say the same share a row.
		var order []string
		who := make(map[string][]string)
		for i, j := range list {
			k := slices.IndexFunc(j.said.Facts.Cells, func(o wire.Cell) bool {
				return o.Fault == c.Fault && o.Family == c.Family
			})
			if k < 0 {
				continue
			}
			text := j.said.Facts.Cells[k].Client + " | " + j.said.Facts.Cells[k].Server
			if who[text] == nil {
				order = append(order, text)
			}
			who[text] = append(who[text], names[i])
		}
		for i, text := range order {
			name := c.Fault
			if i > 0 {
				name = ""
			}
			series := strings.Join(who[text], ", ")
			if len(order) == 1 {
				series = "all"
			}
			fmt.Fprintf(b, "| %s | %s | %s |\n", name, series, text)
		}
	}
}

// wrap breaks a paragraph or a list item into lines of at most 110 columns.
func wrap(text string) string {
	var b strings.Builder
	indent := ""
	if strings.HasPrefix(text, "- ") {
		indent = "  "
	}
	n := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case n+1+len(word) > 110:
			b.WriteString("\n" + indent)
			n = len(indent)
		default:
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += len(word)
	}
	return b.String() + "\n"
}
