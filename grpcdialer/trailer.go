package grpcdialer

import (
	"google.golang.org/grpc/metadata"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/statustext"
)

// TrailerKey is the key of the trailing metadata in which a server that was
// made with [WithTrailer] tells its client what it saw. The value is the
// state, followed by the reason if there is one and by "confirmed" if Multipath
// TCP is:
//
//	mptcp-status: multipath; confirmed
//	mptcp-status: tcp; reason=not-offered
//	mptcp-status: unknown
//
// The words are those of [mptcp.State] and [mptcp.Reason].
const TrailerKey = "mptcp-status"

// FromTrailer returns what the server saw, from the trailing metadata of an
// RPC: that of the call option grpc.Trailer, or of the Trailer method of a
// stream that has ended. ok is false if the server did not say.
//
// Only State, Reason and Confirmed are set. A state or a reason that this
// version does not know is reported as unknown.
func FromTrailer(md metadata.MD) (s mptcp.Status, ok bool) {
	values := md.Get(TrailerKey)
	if len(values) == 0 {
		return mptcp.Status{}, false
	}
	// A proxy in between may have been told by its own server: the newest
	// value is the last one.
	return statustext.Parse(values[len(values)-1]), true
}
