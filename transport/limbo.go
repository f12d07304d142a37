package transport

import (
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// limboGrace is how long a connection may be without a subflow where another
// one may still come: another path may come up only after the last one has gone.
const limboGrace = 10 * time.Second

// mayJoin reports whether another subflow may still come to the connection,
// which has none left. If not, its peer is gone for good, most likely with all
// that it knew: there is nothing to wait for.
func (w *watch) mayJoin(l look) bool {
	accepted := w.e.Role == conntable.Accepted
	switch {
	case accepted && !w.joined:
		return false // the client decides, and one that has shown a single path has no other
	case userspacePathManager():
		return true // limits and endpoints say nothing about what it will do
	case l.subflowsMax == 0:
		return false // whoever asks for one
	case accepted || w.sources:
		return true
	}
	return l.endpoints > 0 && hasEndpoint(w.e, w.joined)
}
