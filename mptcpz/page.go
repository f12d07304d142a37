package mptcpz

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
)

//go:embed static/page.html
var pageHTML string

//go:embed static/style.css
var styleCSS string

//go:embed static/app.js
var appJS string

// A page is the one document that there is, with its style and its script in
// it, and the policy that lets it run these two and talk to this server, and
// nothing else.
type page struct {
	html   []byte
	policy string
}

func newPage() page {
	return page{
		html: []byte(strings.NewReplacer("/*style.css*/", styleCSS, "/*app.js*/", appJS).Replace(pageHTML)),
		policy: strings.Join([]string{
			closedPolicy,
			"connect-src 'self'",
			"img-src data:", // the icon
			"script-src " + hashOf(appJS),
			"style-src " + hashOf(styleCSS),
			"require-trusted-types-for 'script'",
			"trusted-types 'none'",
		}, "; "),
	}
}

// hashOf names a piece of inline code in a Content-Security-Policy.
func hashOf(code string) string {
	sum := sha256.Sum256([]byte(code))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (p *page) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(p.html) // whoever has gone does not want an answer
}
