//go:build !linux

package pathmanager

import "context"

func (*Manager) run(context.Context) error { return failed("managing paths", errElsewhere) }
