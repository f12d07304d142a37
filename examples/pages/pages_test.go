package pages

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const docs = "../../docs"

// titles are the pages that this package answers for.
var titles = []string{
	"grpc.md", "http.md", "kubernetes.md", "load-balancers.md", "proxies.md", "prometheus.md", "kernels.md", "metrics.md",
}

func page(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lines returns the lines that say something, without indentation.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// blocks returns the fenced blocks of a language.
func blocks(text, language string) []string {
	var all []string
	inside, block := "", ""
	for line := range strings.Lines(text) {
		switch fence, ok := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case !ok && inside != "":
			block += line
		case !ok:
		case inside == "":
			inside, block = "```"+fence, ""
		default:
			if inside == "```"+language {
				all = append(all, block)
			}
			inside = ""
		}
	}
	return all
}

// TestQuotes: the Go code of the pages stands in files that are compiled and
// run by tests, line by line.
func TestQuotes(t *testing.T) {
	var files []string
	for _, dir := range []string{".", "../prometheus"} {
		f, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(f) == 0 {
			t.Fatal(dir, err)
		}
		files = append(files, f...)
	}
	var code []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, "\n"+strings.Join(lines(string(b)), "\n")+"\n")
	}
	n := 0
	for _, title := range titles {
		for _, block := range blocks(page(t, title), "go") {
			n++
			quote, found := "\n"+strings.Join(lines(block), "\n")+"\n", false
			for _, c := range code {
				found = found || strings.Contains(c, quote)
			}
			if !found {
				t.Errorf("%s: no file has\n%s", title, block)
			}
		}
	}
	if n < 8 {
		t.Errorf("%d quotes were found", n)
	}
}

// TestLinks: what the pages link to within the repository is there.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, title := range titles {
		for _, m := range link.FindAllStringSubmatch(page(t, title), -1) {
			if _, err := os.Stat(filepath.Join(docs, m[1])); err != nil {
				t.Errorf("%s: %v", title, err)
			}
		}
	}
}

// TestLines: the pages keep to 118 columns, tables and listings apart.
func TestLines(t *testing.T) {
	for _, title := range titles {
		inside := false
		for line := range strings.Lines(page(t, title)) {
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(line, "```") {
				inside = !inside
			}
			if !inside && !strings.HasPrefix(line, "|") && len([]rune(line)) > 118 {
				t.Errorf("%s: %d columns: %s", title, len([]rune(line)), line)
			}
		}
	}
}
