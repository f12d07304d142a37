package httptransport

import (
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/multipath-go/mptcp/transport"
)

// New returns a clone of [http.DefaultTransport] that dials with d. The caller
// owns the result, with its own pool of connections, and may set any other
// field before using it. HTTP/2 and the proxies of the environment are kept; a
// proxy, be it for HTTP, HTTPS or SOCKS5, is itself dialed with Multipath TCP.
//
// A nil d is equivalent to the zero [transport.Dialer]. If d or its NetDialer
// is nil, the connections have the timeout and the keep-alive period that
// those of http.DefaultTransport have, 30 seconds each.
//
// If http.DefaultTransport is no [*http.Transport] any more, New returns what
// it was when the program started. Functions with which the program has made
// http.DefaultTransport dial are not kept: no connection would come from d.
//
// On js/wasm, where the browser makes the connections, d is ignored.
func New(d *transport.Dialer) *http.Transport {
	t := cloneDefault()
	// Each of these goes before DialContext for some requests. DialTLSContext
	// would, besides, put TLSClientConfig and HTTP/2 into d's care.
	t.Dial, t.DialTLS = nil, nil //nolint:staticcheck // deprecated, and obeyed
	t.DialTLSContext = nil
	if runtime.GOOS == "js" {
		t.DialContext = nil // any dial function would switch the Fetch API off
		return t
	}
	var dialer transport.Dialer
	if d != nil {
		dialer = *d
	}
	if dialer.NetDialer == nil {
		dialer.NetDialer = &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	}
	t.DialContext = dialer.DialContext
	return t
}

// cloneDefault returns a copy of http.DefaultTransport.
func cloneDefault() *http.Transport {
	if t, ok := http.DefaultTransport.(*http.Transport); ok && t != nil {
		return t.Clone()
	}
	// As in net/http/transport.go.
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 1 * time.Second,
	}
}
