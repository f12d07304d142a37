package mptcpz

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/transport"
)

// pair returns both ends of a connection, the server's with the listener's mode.
func pair(t testing.TB, listener transport.Mode) (client, server net.Conn) {
	t.Helper()
	ln, err := (&transport.ListenConfig{Mode: listener}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = new(transport.Dialer).Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// talk sends n bytes from one end to the other.
func talk(t testing.TB, from, to net.Conn, n int64) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, to, n)
		done <- err
	}()
	if _, err := from.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func decode(t *testing.T, r *http.Response) state {
	t.Helper()
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s, %s: %s", r.Status, r.Header.Get("Content-Type"), body(t, r))
	}
	var s state
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestState(t *testing.T) {
	client, server := pair(t, transport.Prefer)
	talk(t, client, server, 100_000)
	plain, _ := pair(t, transport.Off)
	h := Handler(nil)
	s := decode(t, get(h, "/debug/mptcp/state.json?size=100&sort=oldest", nil))
	if s.Host.Able == nil || !*s.Host.Able || s.Process.PID != os.Getpid() || !strings.HasPrefix(s.Process.Kernel, "Linux ") {
		t.Errorf("%+v, %+v", s.Host, s.Process)
	}
	if s.Summary.Multipath < 2 || s.Summary.Fallback < 1 || s.Summary.TCP < 1 || s.Summary.OnePath < 2 || s.Summary.Total < 4 {
		t.Errorf("%+v", s.Summary)
	}
	reasons := make(map[mptcp.Reason]because)
	for _, r := range s.Summary.Reasons {
		reasons[r.Reason] = r
	}
	if r := reasons[mptcp.ReasonNotAnswered]; r.Count < 1 || r.State != mptcp.Fallback || r.Explain != mptcp.ReasonNotAnswered.Explain() {
		t.Errorf("%+v", s.Summary.Reasons)
	}
	find := func(a net.Addr) *connection {
		id := transport.Lookup(a).ID()
		i := slices.IndexFunc(s.Connections.List, func(c *connection) bool { return c.ID == id })
		if i < 0 {
			t.Fatalf("%v is not listed", a)
		}
		return s.Connections.List[i]
	}
	c := find(client.LocalAddr())
	if c.State != mptcp.Multipath || !c.Confirmed || c.Role != "dialed" || c.Remote.String() != client.RemoteAddr().String() || c.Local.String() != client.LocalAddr().String() ||
		len(c.Token) != 8 || c.Bytes == nil || c.Bytes.Sent != 100_000 || c.Dial == nil || c.Dial.Address != client.RemoteAddr().String() ||
		c.Dial.Duration <= 0 || c.Congestion == "" || c.Error != "" {
		t.Errorf("%+v, %+v, %+v", c, c.Bytes, c.Dial)
	}
	if len(c.Subflows) != 1 || c.Subflows[0].ID != 1 || c.Subflows[0].Sent < 100_000 || c.Subflows[0].RTT <= 0 || c.Subflows[0].State != "established" {
		t.Errorf("%+v", c.Subflows)
	}
	if c := find(server.LocalAddr()); c.Role != "accepted" || c.Dial != nil || c.Subflows[0].Received < 100_000 {
		t.Errorf("%+v", c)
	}
	if c := find(plain.LocalAddr()); c.State != mptcp.Fallback || c.Reason != mptcp.ReasonNotAnswered || len(c.Subflows) != 1 || c.Bytes != nil || c.Token != "" {
		t.Errorf("%+v", c)
	}
	if len(s.Counters) < 20 || s.CountersErr != "" {
		t.Errorf("%d counters, %s", len(s.Counters), s.CountersErr)
	}
}

func TestFilters(t *testing.T) {
	client, _ := pair(t, transport.Prefer)
	plain, _ := pair(t, transport.Off)
	h := Handler(nil)
	list := func(query string) []uint64 {
		var ids []uint64
		for _, c := range decode(t, get(h, "/state.json?size=100&"+query, nil)).Connections.List {
			ids = append(ids, c.ID)
		}
		return ids
	}
	id, plainID := transport.Lookup(client.LocalAddr()).ID(), transport.Lookup(plain.LocalAddr()).ID()
	for query, want := range map[string]struct{ client, plain bool }{
		"":                                     {true, true},
		"state=multipath":                      {true, false},
		"state=fallback":                       {false, true},
		"reason=not-answered":                  {false, true},
		"role=accepted":                        {false, false},
		"role=dialed":                          {true, true},
		"q=" + client.LocalAddr().String():     {true, false},
		"q=" + plain.RemoteAddr().String():     {false, true},
		"q=127.0.0.1":                          {true, true},
		"q=192.0.2.1":                          {false, false},
		"state=fallback&q=127.0.0&role=dialed": {false, true},
		"state=multipath&reason=not-answered":  {false, false},
	} {
		got := list(query)
		if slices.Contains(got, id) != want.client || slices.Contains(got, plainID) != want.plain {
			t.Errorf("%s: %v, #%d is multipath and #%d a fallback", query, got, id, plainID)
		}
	}
	if l := list("sort=oldest"); !slices.IsSorted(l) {
		t.Errorf("oldest first: %v", l)
	}
	l := list("sort=newest")
	if slices.Reverse(l); !slices.IsSorted(l) {
		t.Errorf("newest first, the other way round: %v", l)
	}
}

func TestPages(t *testing.T) {
	for range 4 {
		pair(t, transport.Prefer)
	}
	h := Handler(nil)
	var seen []uint64
	first := decode(t, get(h, "/state.json?size=3&sort=oldest", nil)).Connections
	for page := 1; page <= first.Pages; page++ {
		l := decode(t, get(h, fmt.Sprintf("/state.json?size=3&sort=oldest&page=%d", page), nil)).Connections
		if l.Page != page || l.Size != 3 || l.Matching != first.Matching || len(l.List) > 3 {
			t.Errorf("page %d: %+v", page, l)
		}
		for _, c := range l.List {
			seen = append(seen, c.ID)
		}
	}
	if len(seen) != first.Matching || len(seen) < 8 || !slices.IsSorted(seen) {
		t.Errorf("the pages have %v, want %d connections", seen, first.Matching)
	}
	if l := decode(t, get(h, "/state.json?size=3&page=1000", nil)).Connections; l.Page != first.Pages || len(l.List) == 0 {
		t.Errorf("beyond the last page: %+v", l)
	}
	// Subflows are read for the page that is asked for, and no others.
	fresh := Handler(nil).(*handler)
	decode(t, get(fresh, "/state.json?size=3", nil))
	if n := len(fresh.sampler.last.details); n != 3 {
		t.Errorf("subflows of %d connections were read for a page of 3", n)
	}
}

func TestMethodsAndNames(t *testing.T) {
	h := Handler(nil)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"} {
		for _, name := range []string{"", "state.json", "events"} {
			r := get(h, "/debug/mptcp/"+name, func(r *http.Request) { r.Method = method })
			if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %q: %s", method, name, r.Status)
			}
		}
	}
	for target, want := range map[string]int{
		"/debug/mptcp/": 200, "/": 200, "/debug/mptcp/state.json": 200, "/state.json": 200,
		"/debug/mptcp": 404, "/debug/mptcp/app.js": 404, "/debug/mptcp/state.json?page=0": 400, "/debug/mptcp/events?x=1": 400,
	} {
		r := get(h, target, nil)
		if r.StatusCode != want {
			t.Errorf("%s: %s, want %d", target, r.Status, want)
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
		policy := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !slices.Contains(strings.Split(policy, "; "), want) {
				t.Errorf("%s: the policy has no %s: %s", target, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", target, policy)
		}
	}
}

// TestPage: what the policy allows is what the page has, and there is nothing
// in it that the policy would have to allow besides.
func TestPage(t *testing.T) {
	r := get(Handler(nil), "/debug/mptcp/", nil)
	html, policy := body(t, r), r.Header.Get("Content-Security-Policy")
	for _, tag := range []string{"script", "style"} {
		m := regexp.MustCompile(`(?s)<`+tag+`[^>]*>(.*?)</`+tag+`>`).FindAllStringSubmatch(html, -1)
		if len(m) != 1 || len(m[0][1]) < 1000 {
			t.Fatalf("%d of %s", len(m), tag)
		}
		sum := sha256.Sum256([]byte(m[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy has no %s: %s", want, policy)
		}
	}
	for _, bad := range []string{` style="`, ` onclick=`, `javascript:`, `src="http`, `href="http`, `@import`, `innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document.write`, `eval(`} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
}

func TestHostWithout(t *testing.T) {
	lab := mptcptest.New(t)
	host := lab.Host("without")
	host.Sysctl("net.mptcp.enabled", 0)
	var s state
	host.Do(func() { s = decode(t, get(Handler(nil), "/state.json", nil)) })
	if s.Host.Able == nil || *s.Host.Able || s.Host.Reason != mptcp.ReasonHostDisabled || s.Host.Command != "sysctl -w net.mptcp.enabled=1" ||
		!strings.Contains(s.Host.Explain, s.Host.Command) {
		t.Errorf("%+v", s.Host)
	}
}

func TestHostUndecided(t *testing.T) {
	h := describeHost(io.ErrUnexpectedEOF)
	if h.Able != nil || h.Explain != io.ErrUnexpectedEOF.Error() || h.Command != "" {
		t.Errorf("%+v", h)
	}
}

func TestPairs(t *testing.T) {
	rows := func(ids ...uint64) (list []row) {
		for _, id := range ids {
			list = append(list, row{id: id})
		}
		return list
	}
	for _, c := range []struct {
		before, now []row
		want        string
	}{
		{nil, nil, ""},
		{rows(1, 2), nil, "-1 -2 "},
		{nil, rows(3), "+3 "},
		{rows(1, 3, 5), rows(2, 3, 6), "-1 +2 =3 -5 +6 "},
		{rows(1), rows(1), "=1 "},
	} {
		got := ""
		for b, n := range pairs(c.before, c.now) {
			switch {
			case b == nil:
				got += fmt.Sprintf("+%d ", n.id)
			case n == nil:
				got += fmt.Sprintf("-%d ", b.id)
			default:
				got += fmt.Sprintf("=%d ", n.id)
			}
		}
		if got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9994: "10.0 kB", 12_345: "12 kB", 999_999: "1.0 MB", 1 << 63: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{1500 * time.Microsecond: "2ms", 12_340 * time.Millisecond: "12.3s", 90 * time.Second: "1m30s"} {
		if got := age(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestForgotten: a minute after the last look there is nothing left, and no
// timer runs.
func TestForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSampler()
		s.sample()
		time.Sleep(keep - time.Second)
		s.sample()
		s.log.add(event{})
		time.Sleep(keep - time.Second)
		s.mu.Lock()
		if s.last == nil {
			t.Error("forgotten too early")
		}
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.last != nil || s.forget != nil || s.log.list != nil || s.log.n != 1 {
			t.Errorf("still there: %+v", s.last)
		}
	})
}
