package mptcpz

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(h http.Handler, target string, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.RemoteAddr, r.Host = "127.0.0.1:4711", "localhost:8080"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLoopback(t *testing.T) {
	for _, c := range []struct {
		from, host string
		want       bool
	}{
		{"127.0.0.1:1", "localhost", true},
		{"127.0.0.1:1", "localhost:8080", true},
		{"127.0.0.1:1", "LOCALHOST:8080", true},
		{"127.9.8.7:1", "127.0.0.1:80", true},
		{"127.0.0.1:1", "127.0.0.1", true},
		{"[::1]:1", "[::1]:8080", true},
		{"[::1]:1", "[::1]", true},
		{"[::ffff:127.0.0.1]:1", "localhost", true},
		{"[::1%lo]:1", "localhost", true},
		// From elsewhere, whatever is asked for.
		{"192.0.2.1:1", "localhost", false},
		{"[2001:db8::1]:1", "localhost", false},
		{"[::ffff:192.0.2.1]:1", "localhost", false},
		{"10.0.0.1:1", "127.0.0.1", false},
		// By another name: DNS rebinding.
		{"127.0.0.1:1", "attacker.example", false},
		{"127.0.0.1:1", "attacker.example:8080", false},
		{"127.0.0.1:1", "localhost.attacker.example", false},
		{"127.0.0.1:1", "a.localhost", false},
		{"127.0.0.1:1", "127.0.0.1.attacker.example", false},
		{"127.0.0.1:1", "192.0.2.1", false},
		{"127.0.0.1:1", "", false},
		{"127.0.0.1:1", "localhost:80:80", false},
		{"127.0.0.1:1", "2130706433", false},
		// Without an address.
		{"", "localhost", false},
		{"@", "localhost", false},
		{"nonsense", "localhost", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		if got := Loopback(r); got != c.want {
			t.Errorf("from %q for %q: %v", c.from, c.host, got)
		}
		if c.want {
			for _, name := range []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"} {
				r.Header = http.Header{}
				r.Header.Set(name, "")
				if Loopback(r) {
					t.Errorf("from %q for %q with %s: allowed", c.from, c.host, name)
				}
			}
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr, r.Host = "@", "localhost"
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/x", Net: "unix"}))
	if !Loopback(r) {
		t.Error("by a Unix socket: refused")
	}
}

func TestRefused(t *testing.T) {
	h := Handler(nil)
	for _, name := range []string{"", "state.json", "events"} {
		r := get(h, "/debug/mptcp/"+name, func(r *http.Request) { r.Host = "attacker.example" })
		text := body(t, r)
		if r.StatusCode != http.StatusForbidden || !strings.Contains(text, "mptcpz.Config.Allow") || !strings.Contains(text, `"attacker.example"`) {
			t.Errorf("%q: %s, %s", name, r.Status, text)
		}
		if strings.Contains(text, "multipath") || strings.Contains(text, "<") {
			t.Errorf("%q: the refusal tells too much: %s", name, text)
		}
	}
	open := Handler(&Config{Allow: func(*http.Request) bool { return true }})
	if r := get(open, "/", func(r *http.Request) { r.Host, r.RemoteAddr = "debug.example", "192.0.2.1:1" }); r.StatusCode != http.StatusOK {
		t.Errorf("a caller that allows everything: %s", r.Status)
	}
	closed := Handler(&Config{Allow: func(*http.Request) bool { return false }})
	if r := get(closed, "/", nil); r.StatusCode != http.StatusForbidden {
		t.Errorf("a caller that allows nothing: %s", r.Status)
	}
}

// TestOtherSites: a page of another site can link to this one, and that is all.
func TestOtherSites(t *testing.T) {
	for _, c := range []struct {
		site, mode, dest string
		want             int
	}{
		{"", "", "", 200},
		{"none", "navigate", "document", 200},
		{"same-origin", "cors", "empty", 200},
		{"cross-site", "navigate", "document", 200},
		{"cross-site", "navigate", "iframe", 403},
		{"cross-site", "no-cors", "script", 403},
		{"cross-site", "cors", "empty", 403},
		{"same-site", "cors", "empty", 403}, // another port of localhost
	} {
		r := get(Handler(nil), "/state.json", func(r *http.Request) {
			for k, v := range map[string]string{"Sec-Fetch-Site": c.site, "Sec-Fetch-Mode": c.mode, "Sec-Fetch-Dest": c.dest} {
				if v != "" {
					r.Header.Set(k, v)
				}
			}
		})
		if r.StatusCode != c.want {
			t.Errorf("%v: %s", c, r.Status)
		}
	}
}
