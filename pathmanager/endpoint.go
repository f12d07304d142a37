package pathmanager

import (
	"fmt"
	"net/netip"
	"strings"
)

// Endpoint is an address that the path manager may use, MPTCP_PM_ADDR_ATTR_… of
// linux/mptcp_pm.h.
type Endpoint struct {
	ID    uint8 // 1 to 255; zero: the kernel chooses
	Addr  netip.Addr
	Flags Flags

	// Port is announced with the address, and the kernel listens on it. It is
	// for Signal without Subflow; zero is the port of the connection. Beside
	// TCP timestamps there is no room for an IPv6 address with a port, and
	// Linux 6.18 announces none.
	Port uint16

	IfIndex int // interface that subflows are bound to; zero: none

	// Unknown is what else the kernel said. [Client.AddEndpoint],
	// [Client.SetFlags] and [Client.DeleteEndpoint] send it back.
	Unknown []Attribute
}

// String writes the endpoint as ip-mptcp(8) does, with the number of the
// interface in the place of its name: "10.0.2.7 id 1 subflow backup dev if3".
func (e Endpoint) String() string {
	var parts []string
	if e.Addr.IsValid() {
		parts = append(parts, e.Addr.String())
	}
	if e.Port != 0 {
		parts = append(parts, fmt.Sprint("port ", e.Port))
	}
	if e.ID != 0 || !e.Addr.IsValid() {
		parts = append(parts, fmt.Sprint("id ", e.ID))
	}
	if e.Flags != 0 {
		parts = append(parts, e.Flags.String())
	}
	if e.IfIndex != 0 {
		parts = append(parts, fmt.Sprint("dev if", e.IfIndex))
	}
	return strings.Join(parts, " ")
}

// Numbers of linux/mptcp_pm.h and linux/socket.h.
const (
	addrFamily = 1
	addrID     = 2
	addrIPv4   = 3
	addrIPv6   = 4
	addrPort   = 5
	addrFlags  = 6
	addrIfIdx  = 7

	afINET  = 2
	afINET6 = 10
)

// unfit says why the endpoint cannot be sent as it is.
func (e Endpoint) unfit() string {
	switch {
	case e.Addr.Zone() != "":
		return "the address has a zone: give it without, and the interface as IfIndex"
	case int(int32(e.IfIndex)) != e.IfIndex:
		return "IfIndex is out of range"
	}
	return ""
}

func (e Endpoint) encode() encoder {
	var b encoder
	switch {
	case e.Addr.Is4():
		b.uint16(addrFamily, afINET)
		b.bytes(addrIPv4, e.Addr.AsSlice())
	case e.Addr.Is6():
		b.uint16(addrFamily, afINET6)
		b.bytes(addrIPv6, e.Addr.AsSlice())
	}
	if e.ID != 0 {
		b.uint8(addrID, e.ID)
	}
	if e.Port != 0 {
		b.uint16(addrPort, e.Port)
	}
	if e.Flags != 0 {
		b.uint32(addrFlags, uint32(e.Flags))
	}
	if e.IfIndex != 0 {
		b.uint32(addrIfIdx, uint32(int32(e.IfIndex)))
	}
	for _, a := range e.Unknown {
		if !a.Beside {
			b.bytes(a.Type, a.Data)
		}
	}
	return b
}

// message is the endpoint as a request has it, and what stands beside it.
func (e Endpoint) message() encoder {
	var b encoder
	b.nested(attrAddr, e.encode())
	for _, a := range e.Unknown {
		if a.Beside {
			b.bytes(a.Type, a.Data)
		}
	}
	return b
}

func decodeEndpoint(b []byte) (Endpoint, error) {
	var e Endpoint
	for a, err := range attributes(b) {
		if err != nil {
			return Endpoint{}, err
		}
		ok := false
		switch a.number() {
		case addrFamily:
			ok = len(a.Data) == 2 // the address says as much
		case addrID:
			ok = a.uint8(&e.ID)
		case addrIPv4:
			ok = a.addr(4, &e.Addr)
		case addrIPv6:
			ok = a.addr(16, &e.Addr)
		case addrPort:
			ok = a.uint16(&e.Port) // in host order, unlike in events
		case addrFlags:
			ok = a.uint32((*uint32)(&e.Flags))
		case addrIfIdx:
			ok = a.index(&e.IfIndex)
		}
		if !ok {
			e.Unknown = append(e.Unknown, a.clone())
		}
	}
	return e, nil
}

// decodeEndpoints decodes the answers to a request for endpoints.
func decodeEndpoints(msgs [][]byte) ([]Endpoint, error) {
	var all []Endpoint
	for _, m := range msgs {
		first := len(all)
		var beside []Attribute
		for a, err := range attributes(m) {
			if err != nil {
				return nil, err
			}
			if n := a.number(); n != attrAddr {
				if n == 0 || n > attrAddrRemote {
					a.Beside = true
					beside = append(beside, a.clone())
				}
				continue
			}
			e, err := decodeEndpoint(a.Data)
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
		for i := range all[first:] { // the kernel sends one in a message
			all[first+i].Unknown = append(all[first+i].Unknown, beside...)
		}
	}
	return all, nil
}
