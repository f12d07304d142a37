package mptcpz

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// Config contains options for [Handler]. Its zero value is ready to use.
type Config struct {
	// Allow says whether a request may be answered. If nil, it is [Loopback].
	// A program that has its own authentication around the handler allows
	// everything here. What asks for no password should look at the name that
	// was asked for, as Loopback does, or any web page can read this one.
	Allow func(*http.Request) bool
}

// Handler returns the page and its JSON. A nil c is equivalent to the Config
// zero value. The handler answers GET and HEAD only.
//
// It is to be mounted at a pattern that ends in a slash, such as
// "/debug/mptcp/", with or without [http.StripPrefix]. Streams of events end
// by themselves when the server that they run on is shut down.
func Handler(c *Config) http.Handler {
	h := &handler{allow: Loopback, sampler: newSampler(), page: newPage()}
	if c != nil && c.Allow != nil {
		h.allow = c.Allow
	}
	return h
}

type handler struct {
	allow   func(*http.Request) bool
	sampler *sampler
	page    page
	streams streams
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", closedPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY") // for what does not know frame-ancestors
	switch {
	case !h.allow(r):
		http.Error(w, refusal(r), http.StatusForbidden)
	case fromOtherSite(r):
		http.Error(w, "mptcpz: asked for by a page of another site", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "mptcpz: there is nothing to change here: use GET or HEAD", http.StatusMethodNotAllowed)
	default:
		h.route(w, r)
	}
}

// route goes by the last element of the path: wherever the handler is mounted,
// that is its own.
func (h *handler) route(w http.ResponseWriter, r *http.Request) {
	_, name := path.Split(r.URL.Path)
	switch name {
	case "":
		h.page.serve(w)
	case "state.json":
		h.state(w, r)
	case "events":
		h.stream(w, r)
	default:
		http.Error(w, fmt.Sprintf("mptcpz: there is no %q: there are the page itself, state.json and events; "+
			"mount the handler at a pattern that ends in a slash", name), http.StatusNotFound)
	}
}

func (h *handler) state(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "mptcpz: "+err.Error(), http.StatusBadRequest)
		return
	}
	b, err := json.MarshalIndent(h.sampler.sample().view(q, 0), "", "  ")
	if err != nil {
		http.Error(w, "mptcpz: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // whoever has gone does not want an answer
}

// closedPolicy is the Content-Security-Policy of everything but the page.
var closedPolicy = strings.Join([]string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}, "; ")
