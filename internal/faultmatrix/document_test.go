package faultmatrix

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp"
)

// expected is the result that a cell is to have. Times it has none.
func expected(c Cell) *Result {
	w := c.want()
	client, server := c.moves()
	fate := func(want string) Fate {
		first, _, _ := strings.Cut(cmp.Or(want, string(OK)), or)
		return Fate(first)
	}
	r := &Result{
		Cell: c, Joined: c.Fault.TwoPaths && !c.Fault.OneSubflow,
		Client: trace(w.Client, c.Fault.Mid != nil), Server: trace(w.Server, c.Fault.Mid != nil),
		First: fate(w.First), Again: fate(w.Again), ClientMoved: count(client), ServerMoved: count(server),
	}
	if r.First.Completed() {
		r.Stream = fate(w.Stream)
	}
	return r
}

// TestDocument checks that the document has been written from this list of
// faults: every fault is in every table, with what is expected of it, and
// nothing else is. Only times are not compared.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/fault-matrix.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	tables := []struct {
		rows    map[string][]string
		columns func(row) []string
		time    int // column
	}{
		{section(t, text, "Dial and state"), dialColumns, 2},
		{section(t, text, "Fate of RPCs"), fateColumns, 3},
		{section(t, text, "Counters"), counterColumns, -1},
	}
	dialTime := regexp.MustCompile(`^dial: [^;]*(; )?`) // of package net
	var all []*Result
	for i := range Faults {
		f := &Faults[i]
		for _, family := range []Family{IPv4, IPv6} {
			ours, std := expected(Cell{f, family, Ours}), expected(Cell{f, family, Std})
			all = append(all, ours, std)
			r := row{f, family.String()[3:], []*Result{ours}, []*Result{std}}
			key := r.title() + " " + r.families
			for _, table := range tables {
				got, want := table.rows[key], table.columns(r)
				delete(table.rows, key)
				if len(got) != len(want)+1 {
					t.Errorf("%s: %q, want %q", ours.Cell, got, want)
					continue
				}
				got = got[1:]
				for i := 1; i < len(want); i++ {
					if i != table.time && dialTime.ReplaceAllString(got[i], "") != dialTime.ReplaceAllString(want[i], "") {
						t.Errorf("%s: %q, want %q", ours.Cell, got[i], want[i])
					}
				}
			}
		}
	}
	for _, table := range tables {
		for key := range table.rows {
			t.Errorf("%s: there is no such fault", key)
		}
	}
	if end := "\n## Cells with an unknown state or reason\n\n" + unknown(all) + "\n## Notes\n\n" + notes(); !strings.HasSuffix(text, end) {
		t.Errorf("the document does not end with\n%s", end)
	}
	if t.Failed() {
		t.Log("go run ./internal/faultmatrix/cmd writes the document anew")
	}
}

// section reads the table under a heading: its rows, by the first column and
// the version of IP.
func section(t *testing.T, text, heading string) map[string][]string {
	t.Helper()
	_, text, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	_, text, _ = strings.Cut(text, "|---|\n")
	rows := make(map[string][]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		columns := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		for i := range columns {
			columns[i] = strings.TrimSpace(columns[i])
		}
		for family := range strings.SplitSeq(columns[1], ", ") {
			rows[columns[0]+" "+family] = columns
		}
	}
	return rows
}

func TestTrace(t *testing.T) {
	for _, c := range []struct {
		want string
		mid  bool
		is   Trace
		std  string
	}{
		{multi, true, Trace{multi, multi, multi}, "yes"},
		{none, false, Trace{}, none},
		{firstData, false, Trace{multi, "fallback (first-data)", "fallback (first-data)"}, "yes → no"},
		{midStream, true, Trace{multi, multi, "fallback (mid-stream)"}, "yes → no"},
		{unconfirmed, false, Trace{multi, multi + ", unconfirmed", multi + ", unconfirmed"}, "yes"},
	} {
		got := trace(c.want, c.mid)
		if got != c.is || got.String() != c.want || yesNo(c.want) != c.std {
			t.Errorf("%s: %q, %v, %s", c.want, got, got, yesNo(c.want))
		}
	}
}

// TestNames checks that faults can be told apart, in the tables as well.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range Faults {
		if f.Name == "" || seen[f.Name] || strings.ContainsAny(f.Name, "|[]\n") {
			t.Errorf("%q", f.Name)
		}
		seen[f.Name] = true
	}
}

func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		seen Seen
		is   bool
	}{
		{"unknown", true}, {"unknown (no-subflow)", true}, {"unknown (no-subflow), closed", true}, {"unknown, closed", true},
		{"error: bad file descriptor", true}, {"fallback", true}, {"tcp", true}, {"tcp, closed", true},
		{"fallback (mid-stream)", false}, {"tcp (not-offered), closed", false}, {multi, false}, {multi + ", unconfirmed", false}, {"", false},
	} {
		var want []string
		if c.is {
			want = []string{"server after the fault: " + string(c.seen)}
		}
		if got := unknowns(Trace{}, Trace{2: c.seen}); !slices.Equal(got, want) {
			t.Errorf("%s: %q", c.seen, got)
		}
	}
}

// TestCheck checks that a result that differs from what is expected is found
// out.
func TestCheck(t *testing.T) {
	cell := Cell{&Faults[slices.IndexFunc(Faults, func(f Fault) bool { return f.Name == "SYN with option dropped" })], IPv4, Ours}
	for what, spoil := range map[string]func(*Result){
		"":                                      func(*Result) {},
		"client: ":                              func(r *Result) { r.Client[2] = multi },
		"first RPC: ":                           func(r *Result) { r.First = Altered },
		"second path in use: ":                  func(r *Result) { r.Joined = true },
		"stream: ":                              func(r *Result) { r.Stream = deadline },
		"dial: ":                                func(r *Result) { r.DialTime = time.Minute },
		"stall: ":                               func(r *Result) { r.Stall = time.Minute },
		"client's counter Blackhole: has moved": func(r *Result) { r.ClientMoved["Blackhole"] = 1 },
		"client's counter MPCapableSYNTX: has not": func(r *Result) { delete(r.ClientMoved, "MPCapableSYNTX") },
		"server's counter MPCapableSYNRX: has mov": func(r *Result) { r.ServerMoved["MPCapableSYNRX"] = 1 },
	} {
		r := expected(cell)
		client, server := cell.moves()
		r.Kernel = count(slices.Concat(client, server))
		r.ClientMoved["MPTCPRetrans"] = 1 // depends on the timing
		spoil(r)
		lines := r.Check()
		if what == "" && len(lines) != 0 || what != "" && (len(lines) != 1 || !strings.HasPrefix(lines[0], what)) {
			t.Errorf("%q: %q", what, lines)
		}
		if want := what != "" && what != "client: " && what != "first RPC: "; r.noise() != want {
			t.Errorf("%q: noise %v", what, r.noise())
		}
	}
}

// TestCheckEitherEnd checks that the counters of a fault in both directions may
// have moved on either end, but not on none, and that the document says the same
// of both.
func TestCheckEitherEnd(t *testing.T) {
	cell := Cell{&Faults[slices.IndexFunc(Faults, func(f Fault) bool { return f.Name == "option stripped from first path" })], IPv6, Std}
	right := expected(cell)
	for _, c := range []struct {
		client, server uint64
		wrong          int
	}{{0, 1, 0}, {1, 0, 0}, {0, 0, 1}, {1, 1, 1}} {
		r := expected(cell)
		r.Kernel = mptcp.Counters{"MPRstTx": 0}
		r.ClientMoved["MPRstTx"], r.ServerMoved["MPRstTx"] = c.client, c.server
		if lines := r.Check(); len(lines) != c.wrong {
			t.Errorf("%d resets by the client, %d by the server: %q", c.client, c.server, lines)
		}
		if delete(r.ClientMoved, "MPJoinSynTx"); len(r.Check()) != c.wrong+1 {
			t.Errorf("%d resets by the client, %d by the server, and a counter that the kernel has not: %q", c.client, c.server, r.Check())
		}
		r.ClientMoved["MPJoinSynTx"] = 1
		if c.wrong == 0 && !alike(r, right) {
			t.Errorf("%d resets by the client, %d by the server: shown as %q, want %q", c.client, c.server, r.moved(), right.moved())
		}
	}
}
