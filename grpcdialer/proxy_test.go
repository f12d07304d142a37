package grpcdialer

import (
	"net/url"
	"strings"
	"testing"
)

func TestProxyAddress(t *testing.T) {
	for proxy, want := range map[string]string{
		"http://proxy.test:3128":  "proxy.test:3128",
		"https://proxy.test:3128": "proxy.test:3128",
		"http://proxy.test":       "proxy.test:443", // as gRPC has it
		"http://[::1]":            "[::1]:443",
		"http://[::1]:80":         "[::1]:80",
		"http://proxy.test:":      "error",
		"http:":                   "error",
		"socks5://proxy.test":     "error",
		"ftp://proxy.test:21":     "error",
	} {
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		got, err := proxyAddress(u)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", proxy, got, err, want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	for given, want := range map[string][2]string{
		"192.0.2.1:443":           {"tcp", "192.0.2.1:443"},
		"[2001:db8::1]:443":       {"tcp", "[2001:db8::1]:443"},
		"":                        {"tcp", ""},
		"unix":                    {"tcp", "unix"},
		"unixx:1":                 {"tcp", "unixx:1"},
		"tcp://192.0.2.1:443":     {"tcp", "tcp://192.0.2.1:443"},
		"unix:relative":           {"unix", "relative"},
		"unix:/a/b":               {"unix", "/a/b"},
		"unix:///a/b":             {"unix", "/a/b"},
		"unix:///a%20b?c#d":       {"unix", "/a%20b?c#d"},
		"unix://a":                {"unix", "a"},
		"unix://a/b":              {"unix", "/b"},
		"unix:@abstract":          {"unix", "@abstract"},
		"unix:@/abstract:/name":   {"unix", "@/abstract:/name"},
		"\x00abstract":            {"unix", "\x00abstract"},
		"unix:":                   {"unix", ""},
		"UNIX:a":                  {"tcp", "UNIX:a"},
		"unix://%zz/not/parsable": {"unix", "//%zz/not/parsable"},
	} {
		if network, address := parseAddress(given); network != want[0] || address != want[1] {
			t.Errorf("%q: %q, %q; want %q", given, network, address, want)
		}
	}
}

// readResponse reads to the end of the head, and not one byte more.
func FuzzReadResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\n\r\nPRI * HTTP/2.0\r\n\r\n")
	f.Add("HTTP/1.0 407 No\nProxy-Authenticate: Basic\n\nno")
	f.Add("HTTP/1.1 200")
	f.Fuzz(func(t *testing.T, answer string) {
		const most = 1000
		r, limit := strings.NewReader(answer), most
		code, status, err := readResponse(r, &limit)
		read := len(answer) - r.Len()
		if read > most || read != most-limit {
			t.Fatalf("read %d bytes and counted %d", read, most-limit)
		}
		if err == nil && (code < 100 || code > 999 || !strings.HasPrefix(answer, "HTTP/") && !strings.HasPrefix(strings.TrimSpace(answer), "HTTP/")) {
			t.Fatalf("%q taken for code %d, %q", answer, code, status)
		}
		head := answer[:read]
		if end := strings.TrimRight(head, "\r\n"); strings.Contains(end, "\n\n") || strings.Contains(end, "\n\r\n") {
			t.Fatalf("%q was read beyond its head", head)
		}
	})
}
