package faultmatrix

import (
	"slices"
	"strings"

	"github.com/multipath-go/mptcp"
)

// timing are the counters that move with the speed of the machine and say
// nothing about a fault, and gauges. They are held only where they are named in
// a [Want].
var timing = []string{
	"MPCurrEstab", "MPTCPRetrans", "SubflowStale", "SubflowRecover", "DuplicateData", "OFOQueue", "OFOMerge",
	"OFOQueueTail", "NoDSSInWindow", "RcvPruned", "SndWndShared", "RcvWndShared", "RcvWndConflict",
	"RcvWndConflictUpdate", "WinProbe",
}

// base returns the counters that move on each host if nothing is wrong.
func (f *Fault) base() (client, server []string) {
	client, server = []string{"MPCapableSYNTX", "MPCapableSYNACKRX"}, []string{"MPCapableSYNRX", "MPCapableACKRX"}
	if f.TwoPaths {
		client, server = append(client, "MPJoinSynTx", "MPJoinSynAckRx"), append(server, "MPJoinSynRx", "MPJoinAckRx")
	}
	if f.Announce {
		client, server = append(client, "AddAddr", "EchoAddTx"), append(server, "AddAddrTx", "EchoAdd")
	}
	return client, server
}

// moves returns the counters that are to move on each host.
func (c Cell) moves() (client, server []string) {
	w := c.want()
	client, server = c.Fault.base()
	return changed(client, w.ClientMoves), changed(server, w.ServerMoves)
}

// turned is moves with the ends the other way round: see [Want.EitherEnd].
func (c Cell) turned() (client, server []string) {
	w := c.want()
	client, server = c.Fault.base()
	return changed(client, w.ServerMoves), changed(server, w.ClientMoves)
}

// changed applies the form of [Want.ClientMoves] to a list.
func changed(base []string, by string) []string {
	list := slices.Clone(base)
	for name := range strings.FieldsSeq(by) {
		if less, ok := strings.CutPrefix(name, "-"); ok {
			list = slices.DeleteFunc(list, func(other string) bool { return other == less })
		} else {
			list = append(list, name)
		}
	}
	return list
}

// moved returns the names of the counters that have moved, but of those that
// depend on the timing only the ones that were to.
func moved(c mptcp.Counters, want []string) (list []string) {
	for name, n := range c.Sorted() {
		if n > 0 && (!slices.Contains(timing, name) || slices.Contains(want, name)) {
			list = append(list, name)
		}
	}
	return list
}

// missing returns those of list that are not in other.
func missing(list, other []string) (out []string) {
	for _, name := range list {
		if !slices.Contains(other, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// showMoves writes how a list of counters differs from the base: those that it
// has in addition, and struck out, those that it has not.
func showMoves(list, base []string) string {
	words := missing(list, base)
	for _, name := range missing(base, list) {
		words = append(words, "~~"+name+"~~")
	}
	return strings.Join(words, ", ")
}
