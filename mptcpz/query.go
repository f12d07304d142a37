package mptcpz

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/transport"
)

// A query says which connections to show, and in which order.
type query struct {
	page, size int
	sort       string
	state      *mptcp.State
	reason     *mptcp.Reason
	role       *transport.Role
	text       string
}

// What a query may ask for.
const (
	defaultSize = 20
	maxSize     = 100
	maxPage     = 1_000_000
	maxText     = 100 // bytes

	newest  = "newest"
	oldest  = "oldest"
	busiest = "busiest"
)

// parseQuery reads the query of a URL. What it does not know is an error: a
// misspelt filter would otherwise show everything.
func parseQuery(raw string) (query, error) {
	q := query{page: 1, size: defaultSize, sort: newest}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, fmt.Errorf("query: %w", err)
	}
	for name, list := range values {
		if len(list) != 1 {
			return query{}, fmt.Errorf("query: %s is given %d times", printable(name), len(list))
		}
		if list[0] == "" {
			continue // an empty field of a form
		}
		if err := q.set(name, list[0]); err != nil {
			return query{}, fmt.Errorf("query: %w", err)
		}
	}
	return q, nil
}

func (q *query) set(name, v string) (err error) {
	switch name {
	case "page":
		q.page, err = number(name, v, maxPage)
	case "size":
		q.size, err = number(name, v, maxSize)
	case "sort":
		q.sort, err = v, oneOf(name, v, newest, oldest, busiest)
	case "state":
		q.state = new(mptcp.State)
		err = word(name, v, q.state)
	case "reason":
		q.reason = new(mptcp.Reason)
		err = word(name, v, q.reason)
	case "role":
		role := transport.Dialed
		if v == transport.Accepted.String() {
			role = transport.Accepted
		}
		q.role, err = &role, oneOf(name, v, transport.Dialed.String(), transport.Accepted.String())
	case "q":
		if len(v) > maxText {
			return fmt.Errorf("q is longer than %d bytes", maxText)
		}
		q.text = strings.ToLower(v)
	default:
		return fmt.Errorf("there is no parameter %s: there are page, size, sort, state, reason, role and q", printable(name))
	}
	return err
}

func number(name, v string, limit int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("%s is %s, and must be a number from 1 to %d", name, printable(v), limit)
	}
	return n, nil
}

func oneOf(name, v string, words ...string) error {
	if slices.Contains(words, v) {
		return nil
	}
	return fmt.Errorf("%s is %s, and must be one of %s", name, printable(v), strings.Join(words, ", "))
}

// word parses a word of the root package, which takes those that it does not
// know for unknown.
func word(name, v string, into interface {
	UnmarshalText([]byte) error
	String() string
}) error {
	if err := into.UnmarshalText([]byte(v)); err != nil {
		return err
	}
	if into.String() != v {
		return fmt.Errorf("%s is %s, which is no such word: see mptcp.%s", name, printable(v), strings.ToUpper(name[:1])+name[1:])
	}
	return nil
}

// printable quotes what a client has sent, cut to a decent length.
func printable(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(s)
	}
	return strconv.Quote(s)
}
