package main

import (
	"strings"
	"testing"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

func TestDocument(t *testing.T) {
	cell := func(fault, client string) wire.Cell {
		return wire.Cell{Fault: fault, Family: "IPv4", Client: client, Server: "tcp"}
	}
	one := &judgement{kernel: &kernel{Series: "6.1", Suite: "bookworm"}, files: &files{version: "6.1-1"}, cells: 2, ok: 1, passed: 7, said: &transcript{
		Facts: &wire.Facts{InfoSize: 48, Cells: []wire.Cell{cell("same", "multipath"), cell("other", "tcp")}},
	}}
	two := &judgement{kernel: &kernel{Series: "7.2", Suite: "sid"}, files: &files{version: "7.2-1"}, cells: 2, ok: 2, said: &transcript{
		Facts: &wire.Facts{InfoSize: 96, Cells: []wire.Cell{cell("same", "multipath"), cell("other", "multipath")}},
	}}
	none := &judgement{kernel: &kernel{Series: "5.10", Suite: "bullseye"}, files: &files{}, said: &transcript{
		Facts: &wire.Facts{Probe: "no", Reason: "host-without"},
	}}
	text := document([]*judgement{none, one, two})
	for _, want := range []string{
		"|  | Linux 5.10 | Linux 6.1 | Linux 7.2 |\n|---|---|---|---|\n",
		"| `mptcp.Probe` | `host-without` | it can | it can |\n",
		"| bytes of `struct mptcp_info` | – | 48 | 96 |\n",
		"| fault matrix, cells as on Linux 6.18 | – | 1 of 2 | 2 of 2 |\n",
		"| same | all | multipath | tcp |\n",
		"| other | 6.1 | tcp | tcp |\n|  | 7.2 | multipath | tcp |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestWrap(t *testing.T) {
	for line := range strings.Lines(wrap(strings.Repeat("word ", 100))) {
		if len(line) > 112 {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	}
}
