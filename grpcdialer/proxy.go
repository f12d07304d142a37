package grpcdialer

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/multipath-go/mptcp/transport"
)

// A proxyFunc returns the proxy for a target, or nil.
type proxyFunc func(target *url.URL) (proxy *url.URL, err error)

func targetURL(address string) *url.URL { return &url.URL{Scheme: "https", Host: address} }

// A proxyError names the proxy and the target of a dial that failed between
// the two.
type proxyError struct {
	proxy  *url.URL // nil if the question which one to use was not answered
	target string
	err    error
}

func (e *proxyError) Error() string {
	if e.proxy == nil {
		return fmt.Sprintf("proxy for %s: %v", e.target, e.err)
	}
	// Host only: the URL may hold a password.
	return fmt.Sprintf("proxy %s for %s: %v", e.proxy.Host, e.target, e.err)
}

func (e *proxyError) Unwrap() error { return e.err }

// maxProxyResponse bounds what a proxy may say before the tunnel begins.
const maxProxyResponse = 64 << 10

// dialProxy connects to target through an HTTP proxy.
func (d *dialer) dialProxy(ctx context.Context, t *transport.Dialer, proxy *url.URL, target string) (net.Conn, error) {
	address, err := proxyAddress(proxy)
	if err != nil {
		return nil, err
	}
	c, err := d.dialTCP(ctx, t, address)
	if err != nil {
		return nil, err
	}
	if err := connect(ctx, c, proxy.User, target); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// proxyAddress returns the address of a proxy. As in gRPC without a dialer of
// its own, http and https both mean that CONNECT is sent in the clear, and the
// port is 443 if the URL has none.
func proxyAddress(proxy *url.URL) (string, error) {
	if proxy.Scheme != "http" && proxy.Scheme != "https" {
		return "", fmt.Errorf("scheme %s: only HTTP CONNECT is supported", proxy.Scheme)
	}
	return withDefaultPort(proxy.Host)
}

// connect asks the proxy at the other end of c for a tunnel to target. When it
// returns nil, no byte of the tunnel has been read from c.
func connect(ctx context.Context, c net.Conn, user *url.Userinfo, target string) (err error) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline) // fails only if c is closed; so will what follows
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		} else if err == nil {
			err = c.SetDeadline(time.Time{})
		}
	}()

	req := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Host: target},
		Header: http.Header{"User-Agent": {"grpc-go/" + grpc.Version}},
	}
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(c); err != nil {
		return fmt.Errorf("sending CONNECT: %w", err)
	}
	limit := maxProxyResponse
	for {
		code, status, err := readResponse(c, &limit)
		switch {
		case err != nil:
			return fmt.Errorf("reading the answer to CONNECT: %w", err)
		case code == http.StatusSwitchingProtocols || code >= 300:
			return fmt.Errorf("CONNECT refused: %s", status)
		case code >= 200:
			return nil // any 2xx opens the tunnel: RFC 9110, section 9.3.6
		}
		// An interim response (1xx): the final one is still to come.
	}
}

// readResponse reads the head of a response from c and not one byte more: what
// follows belongs to the tunnel, and the connection is to stay the one that
// package net made, without a buffer in front. One byte at a time: this is
// some hundred system calls, once per connection. limit counts down.
func readResponse(c io.Reader, limit *int) (code int, status string, err error) {
	var head bytes.Buffer
	var b [1]byte
	for !bytes.HasSuffix(head.Bytes(), []byte("\n\r\n")) && !bytes.HasSuffix(head.Bytes(), []byte("\n\n")) {
		if *limit == 0 {
			return 0, "", fmt.Errorf("longer than %d bytes", maxProxyResponse)
		}
		n, err := c.Read(b[:])
		if n == 0 && err == nil {
			continue
		}
		if err != nil {
			return 0, "", err
		}
		head.WriteByte(b[0])
		*limit--
	}
	line, _, _ := strings.Cut(head.String(), "\n")
	line = printable(textproto.TrimString(line))
	proto, status, _ := strings.Cut(line, " ")
	status = textproto.TrimString(status)
	digits, _, _ := strings.Cut(status, " ")
	code, err = strconv.Atoi(digits)
	if _, _, ok := http.ParseHTTPVersion(proto); !ok || err != nil || len(digits) != 3 || code < 100 {
		return 0, "", fmt.Errorf("not an HTTP response: %.64s", line)
	}
	return code, status, nil
}

// printable bounds and defuses what a stranger wants to have in our error. It
// is not quoted, since gRPC quotes the whole.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s[:min(len(s), 256)])
}

// withDefaultPort does for a name that a proxy resolves what gRPC's dns scheme
// does for one that it resolves itself.
func withDefaultPort(target string) (string, error) {
	if target == "" {
		return "", errors.New("missing address")
	}
	host, port, err := net.SplitHostPort(target)
	switch {
	case err != nil:
		return net.JoinHostPort(strings.Trim(target, "[]"), "443"), nil
	case port == "":
		return "", errors.New("missing port after port-separator colon")
	case host == "":
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}
