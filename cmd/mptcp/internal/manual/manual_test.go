package manual

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// tree is a program whose texts are awkward.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "Do things", Long: "Do things.\n\n.dots at the start, back\\slashes:\n  kept   as\n  it is\n'quoted'"}
	sub := &cobra.Command{
		Use: "sub ARG", Short: "Do | one thing", Example: "  prog sub --much-more 3", Run: func(*cobra.Command, []string) {},
	}
	sub.Flags().IntP("much-more", "m", 7, "how `much`, a|b")
	hidden := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(sub, hidden)
	return root
}

func TestRoff(t *testing.T) {
	text := Roff(tree(), []Status{{3, "Bad."}})
	for _, part := range []string{
		".TH PROG 1", "prog \\- do things", "\\&.dots at the start, back\\eslashes:\n.nf\n  kept   as\n  it is\n.fi\n\\&'quoted'",
		".SH COMMANDS\n.TP\n.B sub\n", ".SH EXIT STATUS\n.TP\n.B 3\nBad.", ".BR prog\\-sub (1)",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("nothing of %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("hidden commands are shown")
	}
	text = Roff(tree().Commands()[1], nil)
	for _, part := range []string{".TH PROG\\-SUB 1", ".B \\-m, \\-\\-much\\-more much\nhow much, a|b (default 7)\n", ".BR prog (1)"} {
		if !strings.Contains(text, part) {
			t.Errorf("nothing of %q in\n%s", part, text)
		}
	}
}

func TestMarkdown(t *testing.T) {
	text := Markdown(tree(), []Status{{3, "Bad."}})
	for _, part := range []string{
		"# The command prog\n", "```\nkept   as\nit is\n```\n", "| 3 | Bad. |", "| [prog sub](#prog-sub) |", "\n## prog sub\n",
		"| `-m, --much-more much` | how much, a\\|b (default 7) |", "```sh\nprog sub --much-more 3\n```",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("nothing of %q in\n%s", part, text)
		}
	}
	if strings.Contains(text, "secret") || strings.Count(text, "```")%2 != 0 {
		t.Errorf("hidden commands, or code without an end\n%s", text)
	}
}
