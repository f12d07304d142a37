package pathmanager

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestNoEvents is of a kernel that has the family, but no events: before 5.12.
func TestNoEvents(t *testing.T) {
	_, err := new(Client).Events(t.Context())
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "5.12") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(Client).Events(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
