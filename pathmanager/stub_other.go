//go:build !linux

package pathmanager

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
)

// conn is never made.
type conn struct{}

func dial(*os.File) (*Client, error) {
	return nil, fmt.Errorf("pathmanager: Multipath TCP on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (*conn) close() error { return errors.ErrUnsupported }

func (*conn) change(uint8, encoder) error { return errors.ErrUnsupported }

func (*conn) get(uint8, encoder) ([][]byte, error) { return nil, errors.ErrUnsupported }

func (*conn) dump(uint8, encoder) ([][]byte, error) { return nil, errors.ErrUnsupported }

func (*conn) events(context.Context) (iter.Seq2[Event, error], error) {
	return nil, errors.ErrUnsupported
}
