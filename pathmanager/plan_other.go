//go:build !linux

package pathmanager

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

type step struct{}

var errElsewhere = fmt.Errorf("Multipath TCP on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func (Config) plan(*os.File) (*Plan, error) { return nil, failed("planning", errElsewhere) }

func (Config) removal(*os.File) (*Plan, error) { return nil, failed("planning", errElsewhere) }

func (*Plan) apply() error { return failed("applying a plan", errElsewhere) }
