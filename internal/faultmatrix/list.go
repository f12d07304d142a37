package faultmatrix

import (
	"slices"
	"time"
)

// Faults is the matrix.
var Faults = slices.Concat(handshake, hosts, oneP, joins, twoP)

const (
	multi       = "multipath"
	notAnswered = "fallback (not-answered)"
	synDropped  = "fallback (syn-dropped)"
	notOffered  = "tcp (not-offered)"
	midStream   = "multipath → fallback (mid-stream)"
	firstData   = "multipath → fallback (first-data)"
	unconfirmed = "multipath → multipath, unconfirmed"

	deadline    = "DeadlineExceeded"
	unavailable = "Unavailable"
	altered     = string(Altered)
	or          = " or " // between fates that are all right

	// headStart bounds a dial for which TCP had to step in.
	headStart = 2 * time.Second

	// Counters that do not move if the client does not offer Multipath TCP, the
	// server does not see the offer, and the client does not see the answer.
	notSent     = "-MPCapableSYNTX " + notAnswer
	notSeen     = "-MPCapableSYNRX -MPCapableACKRX"
	notAnswer   = "-MPCapableSYNACKRX"
	notAccepted = "-MPCapableACKRX"
)
