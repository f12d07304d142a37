// Package manual writes what a tree of commands says of itself as manual pages
// (man(7), for roff) and as a document in Markdown.
package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands lists a command and all below it, in the order of the tree, without
// those that are hidden or made by cobra.
func Commands(root *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{root}
	for _, c := range below(root) {
		list = append(list, Commands(c)...)
	}
	return list
}

// flags lists the options of a command, without --help.
func flags(c *cobra.Command) []*pflag.Flag {
	var list []*pflag.Flag
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && f.Name != "version" {
			list = append(list, f)
		}
	})
	return list
}

// option is how an option is written, and what it means.
func option(f *pflag.Flag) (written, meaning string) {
	name, usage := pflag.UnquoteUsage(f)
	written = "--" + f.Name
	if f.Shorthand != "" {
		written = "-" + f.Shorthand + ", " + written
	}
	if name != "" {
		written += " " + name
	}
	if d := f.DefValue; d != "" && d != "false" && d != "0s" && d != "[]" && !strings.Contains(usage, "(default") {
		usage += fmt.Sprintf(" (default %s)", d)
	}
	return written, usage
}

func description(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// below lists the commands below one, but for those that are hidden or made by
// cobra.
func below(c *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, s := range c.Commands() {
		if s.IsAvailableCommand() && s.Name() != "help" && s.Name() != "completion" {
			list = append(list, s)
		}
	}
	return list
}

// Status is an exit status of the program.
type Status struct {
	Number  int
	Meaning string
}

// Roff writes the manual page of a command, in section 1.
func Roff(c *cobra.Command, statuses []Status) string {
	var b strings.Builder
	title := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"%s\" \"\"\n", roff(strings.ToUpper(title)), roff(c.Root().Name()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(title), roff(lower(c.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(description(c)))
	if list := flags(c); len(list) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, f := range list {
			written, meaning := option(f)
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(written), roff(meaning))
		}
	}
	if list := below(c); len(list) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, s := range list {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(s.Name()), roff(s.Short))
		}
	}
	if len(statuses) > 0 {
		b.WriteString(".SH EXIT STATUS\n")
		for _, s := range statuses {
			fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", s.Number, roff(s.Meaning))
		}
	}
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roff(c.Example) + "\n.fi\n")
	}
	var also []string
	if c.HasParent() {
		also = append(also, c.Parent().CommandPath())
	}
	for _, s := range below(c) {
		also = append(also, s.CommandPath())
	}
	for i, s := range also {
		also[i] = fmt.Sprintf(".BR %s (1)", roff(strings.ReplaceAll(s, " ", "-")))
	}
	b.WriteString(".SH SEE ALSO\n" + strings.Join(append(also, ".BR ip\\-mptcp (8)"), ",\n") + "\n")
	return b.String()
}

// roff takes from a text the meaning that it would have to roff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// paragraphs writes a text in which empty lines separate paragraphs and
// indented lines stay as they are.
func paragraphs(text string) string {
	var b strings.Builder
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		switch {
		case indented && !literal:
			b.WriteString(".nf\n")
		case !indented && literal:
			b.WriteString(".fi\n")
		}
		literal = indented
		if line == "" {
			b.WriteString(".PP\n")
		} else {
			b.WriteString(roff(line) + "\n")
		}
	}
	if literal {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// lower begins a text with a small letter, as the NAME of a page does.
func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// Markdown writes one document of all commands.
func Markdown(root *cobra.Command, statuses []Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The command %s\n\n", root.Name())
	b.WriteString("<!-- Written by go test ./cmd/mptcp -run TestDocument -update. -->\n\n")
	b.WriteString("```sh\nCGO_ENABLED=0 go install github.com/multipath-go/mptcp/cmd/mptcp@latest\n```\n\n" +
		"`CGO_ENABLED=0` makes it one static file, to be copied to any host with the same processor. Where there is a C\n" +
		"compiler the go command would have it ask the C library for names, and need that library.\n\n")
	b.WriteString(markdown(description(root)))
	b.WriteString("\n| command | |\n|---|---|\n")
	for _, c := range below(root) {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", c.CommandPath(), anchor(c), c.Short)
	}
	b.WriteString("\n`mptcp completion SHELL` writes completion for bash, zsh, fish and PowerShell; `mptcp man DIRECTORY` writes\n" +
		"manual pages. Colour is for terminals, and `NO_COLOR=1` switches it off. Errors are one line on standard error.\n")
	if len(statuses) > 0 {
		b.WriteString("\n| exit status | |\n|---|---|\n")
		for _, s := range statuses {
			fmt.Fprintf(&b, "| %d | %s |\n", s.Number, s.Meaning)
		}
	}
	for _, c := range Commands(root)[1:] {
		level := strings.Count(c.CommandPath(), " ") + 1
		fmt.Fprintf(&b, "\n%s %s\n\n%s", strings.Repeat("#", level), c.CommandPath(), markdown(description(c)))
		fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
		if list := flags(c); len(list) > 0 {
			b.WriteString("\n| option | |\n|---|---|\n")
			for _, f := range list {
				written, meaning := option(f)
				fmt.Fprintf(&b, "| `%s` | %s |\n", written, strings.ReplaceAll(meaning, "|", "\\|"))
			}
		}
		if c.Example != "" && level == 2 {
			var lines []string
			for line := range strings.Lines(c.Example) {
				lines = append(lines, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
			}
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.Join(lines, "\n"))
		}
	}
	return b.String()
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// markdown writes a text in which indented lines are to stay as they are.
func markdown(text string) string {
	var b strings.Builder
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, "  ")
		switch {
		case indented && !literal:
			if !strings.HasSuffix(b.String(), "\n\n") {
				b.WriteString("\n")
			}
			b.WriteString("```\n")
		case !indented && literal:
			b.WriteString("```\n")
		}
		literal = indented
		b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
	}
	if literal {
		b.WriteString("```\n")
	}
	return b.String()
}
