package table

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/multipath-go/mptcp/interop/internal/scene"
)

const results = scene.Results

// read returns the recorded results: those of programs that use Multipath TCP
// first, each by their names.
func read() ([]scene.Result, error) {
	files, err := filepath.Glob(filepath.Join(results, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []scene.Result
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var r scene.Result
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if want := r.Test + ".json"; filepath.Base(name) != want {
			return nil, fmt.Errorf("%s is a result of %s", name, r.Test)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b scene.Result) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Program), strings.ToLower(b.Program)), cmp.Compare(a.Test, b.Test))
	})
	return all, nil
}

// page writes docs/interop.md.
func page(all []scene.Result) []byte {
	var b bytes.Buffer
	b.WriteString(head)
	fmt.Fprintf(&b, "\nMade from the runs of %s.\n", where(all))
	b.WriteString(survivors)
	rows := [][]string{{"Program", "Version", "This module is", "Longest exchange"}}
	for _, r := range all {
		if r.Gap > 0 {
			rows = append(rows, []string{r.Program, r.Version, r.Us, fmt.Sprintf("%.2f s", r.Gap.Seconds())})
		}
	}
	table(&b, rows)
	b.WriteString(others)
	rows = [][]string{{"Program", "Version", "This module is", "Status"}}
	for _, r := range all {
		if r.Gap == 0 {
			rows = append(rows, []string{r.Program, r.Version, r.Us, "`" + r.Outcome + "`"})
		}
	}
	table(&b, rows)
	b.WriteString(notRun)
	table(&b, append([][]string{{"Program", "Why not", "What was run in its place"}}, missing...))
	return b.Bytes()
}

// where says on what, and when, the tests ran.
func where(all []scene.Result) string {
	var kernels, gos []string
	first, last := time.Time{}, time.Time{}
	for _, r := range all {
		kernels, gos = append(kernels, r.Kernel), append(gos, r.Go)
		month, _ := time.Parse(scene.Month, r.Month)
		if first.IsZero() || month.Before(first) {
			first = month
		}
		if month.After(last) {
			last = month
		}
	}
	months := last.Format(scene.Month)
	if first != last {
		months = first.Format(scene.Month) + " to " + months
	}
	return fmt.Sprintf("%s, Linux %s, Go %s", months, list(kernels), list(gos))
}

func list(s []string) string {
	slices.Sort(s)
	return strings.Join(slices.Compact(s), " and ")
}

// table writes rows as Markdown, the first as the header.
func table(b *bytes.Buffer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(b, "| %s ", cell)
			if i < len(row)-1 { // the last column is not padded: lines stay short
				b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)))
			}
		}
		b.WriteString("|\n")
		if n == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
}
