package mptcpz

import (
	"net/url"
	"strings"
	"testing"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

func TestQuery(t *testing.T) {
	q, err := parseQuery("")
	if err != nil || q.page != 1 || q.size != defaultSize || q.sort != newest || q.state != nil || q.reason != nil || q.role != nil || q.text != "" {
		t.Errorf("empty: %+v, %v", q, err)
	}
	q, err = parseQuery("page=3&size=100&sort=busiest&state=fallback&reason=not-answered&role=accepted&q=EXAMPLE:443")
	if err != nil || q.page != 3 || q.size != 100 || q.sort != busiest || *q.state != mptcp.Fallback || *q.reason != mptcp.ReasonNotAnswered ||
		*q.role != transport.Accepted || q.text != "example:443" {
		t.Errorf("everything: %+v, %v", q, err)
	}
	q, err = parseQuery("state=&role=&q=&page=&sort=")
	if err != nil || q.page != 1 || q.state != nil || q.role != nil || q.sort != newest {
		t.Errorf("an empty form: %+v, %v", q, err)
	}
	for raw, want := range map[string]string{
		"page=0":            "number from 1 to",
		"page=-1":           "number from 1 to",
		"page=one":          "number from 1 to",
		"page=1e3":          "number from 1 to",
		"size=101":          "number from 1 to 100",
		"sort=random":       "newest, oldest, busiest",
		"state=multi":       "mptcp.State",
		"reason=because":    "mptcp.Reason",
		"role=both":         "dialed, accepted",
		"states=tcp":        "there is no parameter \"states\"",
		"page=1&page=2":     "given 2 times",
		"page=%zz":          "invalid URL escape",
		"page=1;q=2":        "semicolon",
		"q=" + long:         "longer than 100 bytes",
		"%1b%5b31m=1":       `\x1b[31m`,
		"page=" + long:      "…",
		"sort=%e2%80%ae%00": `\u202e\x00`,
	} {
		if _, err := parseQuery(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", raw, err, want)
		}
	}
}

var long = strings.Repeat("x", 101)

// FuzzQuery: what a client sends is refused or understood, and a query that is
// understood stays within its limits.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "page=3&size=100&sort=busiest&state=fallback&reason=not-answered&role=accepted&q=a", "page=%zz", "q=%00%ff", "a=b&a=c"} {
		f.Add(s)
	}
	empty := new(sample)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			if q.page != 0 || len(err.Error()) > 4*maxText+200 && !strings.Contains(err.Error(), "invalid URL escape") {
				t.Errorf("%q: %+v, %d bytes of error", raw, q, len(err.Error()))
			}
			for _, r := range err.Error() {
				if r < ' ' {
					t.Errorf("%q: the error has a control character", raw)
				}
			}
			return
		}
		if q.page < 1 || q.page > maxPage || q.size < 1 || q.size > maxSize || len(q.text) > 3*maxText {
			t.Errorf("%q: %+v", raw, q)
		}
		if l := empty.list(q); l.Page != 1 || l.Pages != 1 || len(l.List) != 0 {
			t.Errorf("%q: %+v", raw, l)
		}
		// What was understood can be written again, and means the same.
		values, _ := url.ParseQuery(raw)
		again, err := parseQuery(values.Encode())
		if err != nil || again.page != q.page || again.size != q.size || again.sort != q.sort || again.text != q.text {
			t.Errorf("%q: %+v, then %+v, %v", raw, q, again, err)
		}
	})
}
