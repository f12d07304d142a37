package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/examples/internal/selfsigned"
	"github.com/multipath-go/mptcp/httptransport"
	"github.com/multipath-go/mptcp/transport"
)

// call sends requests by HTTP/1.1 and by HTTP/2 and prints what both ends saw
// of each.
func call(ctx context.Context, stdout io.Writer, address string, trusted *x509.Certificate, mode transport.Mode) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	fmt.Fprintf(stdout, "  %-17s%-28s%s\n", "Request", "the client saw", "the server saw")
	var last mptcp.Status
	for _, protocol := range []struct {
		name   string
		choose func(*http.Protocols, bool)
	}{
		{"HTTP/1.1", (*http.Protocols).SetHTTP1},
		{"HTTP/2.0", (*http.Protocols).SetHTTP2},
	} {
		base := httptransport.New(&transport.Dialer{Mode: mode})
		base.TLSClientConfig = selfsigned.Client(trusted)
		base.Protocols = new(http.Protocols)
		protocol.choose(base.Protocols, true)
		client := &http.Client{Transport: httptransport.RoundTripper(base)}
		for _, path := range []string{"/hello", "/stream"} {
			status, server, err := get(ctx, client, "https://"+address+path, protocol.name)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "  %-17s%-28s%s\n", protocol.name+" "+path, show(status), server)
			last = status
		}
		client.CloseIdleConnections()
	}
	if last.State != mptcp.Multipath {
		fmt.Fprintf(stdout, "  Why: %s\n", last.Reason.Explain())
	}
	return nil
}

// get sends one request and reads the response line by line, as they arrive.
func get(ctx context.Context, client *http.Client, url, protocol string) (status mptcp.Status, server string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return status, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return status, "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Proto != protocol {
		return status, "", fmt.Errorf("%s: %s %s, want %s 200 OK", url, response.Proto, response.Status, protocol)
	}
	body := bufio.NewScanner(response.Body)
	for body.Scan() {
		// The status may be asked for at any time. The last answer counts: a
		// stream may lose Multipath TCP while it runs.
		if status, err = httptransport.FromResponse(response); err != nil {
			return status, "", fmt.Errorf("%s: %w", url, err)
		}
	}
	if err := body.Err(); err != nil {
		return status, "", fmt.Errorf("%s: %w", url, err)
	}
	server = "(it did not say)"
	if s, ok := httptransport.FromHeader(response.Header); ok {
		server = show(s)
	}
	return status, server, nil
}

// show returns a status in a few words, with the number of paths if there are
// several.
func show(s mptcp.Status) string {
	if n, ok := s.Subflows(); ok && n > 1 {
		return fmt.Sprintf("%v, %d subflows", s, n)
	}
	return s.String()
}
