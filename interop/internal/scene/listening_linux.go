package scene

import (
	"fmt"
	"os"
	"strings"

	"github.com/multipath-go/mptcp/mptcptest"
)

// listening says whether a socket of the host listens at a port. The kernel
// lists the TCP socket of a Multipath TCP listener as well.
func listening(h *mptcptest.Host, port uint16) (found bool) {
	suffix := fmt.Sprintf(":%04X", port)
	h.Do(func() {
		for _, name := range []string{"tcp", "tcp6"} {
			b, _ := os.ReadFile("/proc/thread-self/net/" + name)
			for line := range strings.Lines(string(b)) {
				// sl local_address rem_address st …; 0A is TCP_LISTEN.
				f := strings.Fields(line)
				found = found || len(f) > 3 && strings.HasSuffix(f[1], suffix) && f[3] == "0A"
			}
		}
	})
	return found
}
