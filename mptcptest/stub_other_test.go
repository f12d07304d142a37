//go:build !linux

package mptcptest

import (
	"errors"
	"testing"
)

func TestStub(t *testing.T) {
	_, entering := enter()
	_, making := newNamespace()
	for _, err := range []error{entering, explain(entering), making, setUpInside()} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
	}
}
