package httptransport

import (
	"net/http"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/statustext"
)

// StatusHeader is the name of the response header in which a server tells its
// client what it saw: see [SendStatus]. The value is the state, followed by
// the reason if there is one and by "confirmed" if Multipath TCP is:
//
//	Mptcp-Status: multipath; confirmed
//	Mptcp-Status: tcp; reason=not-offered
//
// The words are those of [mptcp.State] and [mptcp.Reason].
const StatusHeader = "Mptcp-Status"

// SendStatus returns a handler that sets [StatusHeader] in the response before
// it calls next. It leaves the header out if the status cannot be read. A nil
// next is [http.DefaultServeMux].
//
// The header speaks of the connection to this server. What a proxy in front of
// it uses on its other side is not in it.
func SendStatus(next http.Handler) http.Handler {
	if next == nil {
		next = http.DefaultServeMux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, err := FromRequest(r); err == nil {
			w.Header().Set(StatusHeader, statustext.Format(s))
		}
		next.ServeHTTP(w, r)
	})
}

// FromHeader returns what the server saw, from the header of its response. ok
// is false if the server did not say.
//
// Only State, Reason and Confirmed are set. A state or a reason that this
// version does not know is reported as unknown.
func FromHeader(h http.Header) (s mptcp.Status, ok bool) {
	values := h.Values(StatusHeader)
	if len(values) == 0 {
		return mptcp.Status{}, false
	}
	// A proxy that sends a status and passes on that of its own server adds
	// the latter: the connection to the client is the first one's.
	return statustext.Parse(values[0]), true
}
