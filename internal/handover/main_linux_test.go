package handover

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

var (
	repetitions = flag.Int("handover.n", envInt("HANDOVER_N", 1), "how often each handover is repeated")
	workers     = flag.Int("handover.workers", envInt("HANDOVER_WORKERS", 6), "how many handovers are measured at a time")
	onlyLevers  = flag.String("handover.levers", "", "measure only the levers whose names match")
	only        = flag.String("handover.only", os.Getenv("HANDOVER_ONLY"), "measure only what has this in its name")
)

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func TestMain(m *testing.M) { mptcptest.Main(m) }

// tickEvery is the time between two messages of a stream, in each direction.
const tickEvery = 10 * time.Millisecond
