//go:build !linux

package pathmanager

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestUnsupported: on other systems there is no path manager, and every
// function says so.
func TestUnsupported(t *testing.T) {
	_, err := Dial()
	_, in := DialIn(os.Stdin)
	var c Client
	_, endpoints := c.Endpoints()
	_, events := c.Events(t.Context())
	_, addresses := c.Connection(1).Endpoints()
	for _, err := range []error{
		err, in, endpoints, events, addresses, c.Flush(), c.Close(), c.Connection(1).Remove(1),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "unsupported") {
			t.Error(err)
		}
	}
}
