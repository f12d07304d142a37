package redis

import (
	"testing"

	"github.com/multipath-go/mptcp/mptcptest"
)

func TestMain(m *testing.M) { mptcptest.Main(m) }
