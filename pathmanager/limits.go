package pathmanager

import "fmt"

// Limits hold for every connection of a network namespace. Linux starts with 2
// subflows and 0 announced addresses, and allows at most 8 of each, before Linux 7.
type Limits struct {
	Subflows        uint32 // besides the first
	AddAddrAccepted uint32 // announced addresses that are connected to

	// Unknown is what else the kernel said. [Client.SetLimits] sends it back.
	Unknown []Attribute
}

// String writes the limits as ip-mptcp(8) does.
func (l Limits) String() string {
	return fmt.Sprintf("add_addr_accepted %d subflows %d", l.AddAddrAccepted, l.Subflows)
}

func (l Limits) encode() encoder {
	var b encoder
	b.uint32(attrRcvAddAddrs, l.AddAddrAccepted)
	b.uint32(attrSubflows, l.Subflows)
	for _, a := range l.Unknown {
		b.bytes(a.Type, a.Data)
	}
	return b
}

func decodeLimits(msgs [][]byte) (Limits, error) {
	var l Limits
	for _, m := range msgs {
		for a, err := range attributes(m) {
			if err != nil {
				return Limits{}, err
			}
			ok := false
			switch a.number() {
			case attrRcvAddAddrs:
				ok = a.uint32(&l.AddAddrAccepted)
			case attrSubflows:
				ok = a.uint32(&l.Subflows)
			}
			if !ok {
				l.Unknown = append(l.Unknown, a.clone())
			}
		}
	}
	return l, nil
}
