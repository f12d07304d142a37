//go:build !linux

package mptcptest

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

var errOther = fmt.Errorf("mptcptest: not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)

func inside() bool            { return false }
func setUpInside() error      { return errOther }
func execInside()             {}
func enter() (int, error)     { return 0, errOther }
func explain(err error) error { return err }

// namespace and the rest are never made: there is no way inside.
type namespace struct{}

func newNamespace() (*namespace, error)          { return nil, errOther }
func (*namespace) do(func()) error               { return errOther }
func (*namespace) adopt(syscall.RawConn) error   { return errOther }
func (*namespace) command(cmd *exec.Cmd, _ bool) { cmd.Err = errOther }
func (*namespace) close() error                  { return nil }

func (*Link) open(uint64) error   { return errOther }
func (*Link) close() error        { return nil }
func (*Network) configure() error { return errOther }
func (*end) setUp(bool) error     { return errOther }
func (*end) removeAddrs() error   { return errOther }
func (*end) received() Stats      { return Stats{} }
