//go:build !linux

package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

var errOther = fmt.Errorf("doctor: not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func read(context.Context, string) (*Host, error) { return nil, errOther }

func (setSysctl) apply() error          { return errOther }
func (addRule) apply() error            { return errOther }
func (addRoute) apply() error           { return errOther }
func (deleteFirewallRule) apply() error { return errOther }
