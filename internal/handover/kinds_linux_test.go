package handover

import (
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// A kind is a way to lose the first path.
type kind struct {
	name string
	lose func(s *scene)

	// The second path comes up only after the first is gone. The gap is
	// counted from then.
	breakFirst bool

	oneMode    bool // an active and a backup endpoint are the same
	ofEndpoint bool // it is the endpoint that goes, and not the path
}

// outage is the time between the paths of break-before-make.
const outage = 500 * time.Millisecond

var kinds = []kind{
	{name: "link down", lose: func(s *scene) { s.first.Cut() }},
	{name: "link down at client", lose: func(s *scene) { s.first.CutAt(s.phone) }},
	{name: "link down at server", lose: func(s *scene) { s.first.CutAt(s.server) }},
	{name: "silence", lose: func(s *scene) { s.first.Inject(mptcptest.DropAll()) }},
	{name: "silence from client", lose: func(s *scene) { s.first.From(s.phone).Inject(mptcptest.DropAll()) }},
	{name: "silence to client", lose: func(s *scene) { s.first.From(s.server).Inject(mptcptest.DropAll()) }},
	{name: "address removed", lose: func(s *scene) { s.first.RemoveAddr(s.phone) }},
	{name: "endpoint removed", lose: func(s *scene) { s.phone.RemoveEndpoint(s.first.Addr(s.phone)) }, ofEndpoint: true},
	{name: "break before make", lose: func(s *scene) { s.first.Cut() }, breakFirst: true, oneMode: true},
}
