package mptcpz

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Loopback reports whether r comes from this host, straight from its client:
// from a loopback address or by a Unix socket, asking for localhost or a
// loopback address by name, with no sign of a proxy in its header.
//
// The name is judged because a page of another site can have its own name
// resolved to 127.0.0.1 and then read what is served there (DNS rebinding). A
// proxy on this host that adds none of Forwarded, Via, X-Forwarded-For and
// X-Real-IP, and asks for localhost, is taken for a client: do not put one
// before the page.
func Loopback(r *http.Request) bool {
	for _, name := range proxyHeaders {
		if r.Header.Values(name) != nil {
			return false
		}
	}
	return fromHere(r) && loopbackName(r.Host)
}

var proxyHeaders = [...]string{"Forwarded", "Via", "X-Forwarded-For", "X-Real-Ip"}

func fromHere(r *http.Request) bool {
	if _, ok := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr); ok {
		return true
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

// loopbackName reports whether a Host header, with or without a port, names
// this host to itself. RFC 6761, section 6.3, keeps names below localhost for
// loopback addresses; resolvers are known to ask for them all the same, so
// they do not count.
func loopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// fromOtherSite reports whether a page of another origin asks for more than to
// be a link to here. Such a page cannot read the answer, but could have the
// sampling go on. Browsers say so (Fetch Metadata); other clients say nothing.
func fromOtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// refusal says to whom the page is not shown, and what to do about it.
func refusal(r *http.Request) string {
	return fmt.Sprintf("mptcpz: not shown to %s, which asked for %q. Unless the program says otherwise (mptcpz.Config.Allow), "+
		"the page is for this host alone, at localhost and without a proxy. From elsewhere, forward the port: "+
		"ssh -L 8080:localhost:PORT HOST, and open http://localhost:8080%s", r.RemoteAddr, r.Host, r.URL.EscapedPath())
}
