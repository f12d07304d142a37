package httptransport

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/multipath-go/mptcp/internal/recent"
)

// ReportingRoundTripper is like [RoundTripper] and calls report, unless it is
// nil, when a request ends: when its body has been read to the end or to an
// error, when the body is closed, or when there is no response at all. Each hop
// of a redirect is a request of its own.
//
// A response whose body is neither read to the end nor closed, which is a leak
// of its own, is not reported.
func ReportingRoundTripper(base http.RoundTripper, report Reporter) http.RoundTripper {
	if base == nil {
		base = New(nil)
	}
	return &roundTripper{base, report}
}

type roundTripper struct {
	base   http.RoundTripper
	report Reporter
}

// RoundTrip sends a request. See http.RoundTripper.
func (t *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.report == nil {
		r := new(record)
		response, err := t.send(request, r)
		r.settle(false)
		return response, err
	}
	e := &ending{report: t.report, request: request, start: recent.Now()}
	response, err := t.send(request, &e.record)
	e.record.settle(true)
	e.watch(response, err)
	return response, err
}

// send sends request, and has r remember its connection.
func (t *roundTripper) send(request *http.Request, r *record) (*http.Response, error) {
	r.begin(request.Context())
	sent := request.WithContext(r)
	response, err := t.base.RoundTrip(sent)
	if response != nil && response.Request == nil {
		response.Request = sent // FromResponse needs it, and http.Client sees to it too late
	}
	return response, err
}

// CloseIdleConnections closes those of the base. [http.Client] looks for it.
func (t *roundTripper) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// An ending reports a request when it ends, once. It must not refer to the body: its
// record is kept with the request, and the body keeps the connection.
type ending struct {
	once    sync.Once
	report  Reporter
	request *http.Request
	start   time.Duration
	code    int
	record  record
}

// watch has e reported when response ends.
func (e *ending) watch(response *http.Response, err error) {
	if response != nil {
		e.code = response.StatusCode
	}
	switch {
	case err != nil || response == nil || response.Body == nil || response.Body == http.NoBody:
		e.end(err)
	default:
		b := &body{response.Body, e}
		// The body of a response that switched protocols can be written to.
		if w, ok := response.Body.(io.Writer); ok {
			response.Body = &stream{b, w}
		} else {
			response.Body = b
		}
	}
}

func (e *ending) end(err error) {
	e.once.Do(func() {
		now := recent.Now()
		r := Report{
			Side: Client, Method: methodOf(e.request), StatusCode: e.code,
			LocalAddr: e.record.localAddr(), Err: err, Duration: now - e.start,
		}
		if e.request.URL != nil {
			r.Host = e.request.URL.Host
		}
		r.Status, r.StatusErr = e.record.status(now, err != nil) // which may be the connection's fault
		e.report(e.request.Context(), r)
	})
}

// methodOf returns the method. A client may leave it empty to say GET.
func methodOf(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// A body is a response body of which the end is reported.
type body struct {
	io.ReadCloser
	ending *ending
}

// Read reports the end of the body.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		b.ending.end(nil)
	default:
		b.ending.end(err)
	}
	return n, err
}

// Close reports the end of a body that was not read to its end.
func (b *body) Close() error {
	// The report goes first: closing may close the connection.
	b.ending.end(nil)
	return b.ReadCloser.Close()
}

// A stream is a body that can be written to.
type stream struct {
	*body
	io.Writer
}
