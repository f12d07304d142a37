package scene

import (
	"fmt"
	"io"
	"net/http"

	"github.com/multipath-go/mptcp/httptransport"
)

// Get returns a function that gets an URL with a client of this module, again
// and again by one connection, and checks the answer. The status of each
// response must be want.
func (s *Scene) Get(url, content, want string) (exchange func() error) {
	transport := httptransport.New(s.Dialer())
	s.t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: httptransport.RoundTripper(transport), Timeout: patience}
	return func() error {
		r, err := client.Get(url)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if r.StatusCode != http.StatusOK || string(b) != content {
			return fmt.Errorf("the answer is %s with %d bytes, not the %d that it should be", r.Status, len(b), len(content))
		}
		if status, err := httptransport.FromResponse(r); err != nil || status.String() != want {
			return fmt.Errorf("the response came by %v, %w, not %s", status, err, want)
		}
		return nil
	}
}
