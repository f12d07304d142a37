package pathmanager

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"
)

// Attribute is something the kernel said that this package has no name for: a
// netlink attribute of a number, or of a length, that it does not know.
type Attribute struct {
	Type uint16 // as in struct nlattr, with the flag bits
	Data []byte

	// Beside says, of one in Endpoint.Unknown, that it stood beside the address
	// in the message and not within it: the numbers there are others.
	Beside bool
}

// Bits of the type in struct nlattr, linux/netlink.h.
const (
	nested   = 1 << 15
	typeMask = 1<<14 - 1
)

// number is the type without its flag bits.
func (a Attribute) number() uint16 { return a.Type & typeMask }

var errAttributes = errors.New("malformed netlink attributes")

// attributes iterates over the attributes in b. Their data is part of b. If b
// is malformed, the last step is an error.
func attributes(b []byte) iter.Seq2[Attribute, error] {
	return func(yield func(Attribute, error) bool) {
		for len(b) >= 4 {
			n := int(binary.NativeEndian.Uint16(b))
			if n < 4 || n > len(b) {
				break
			}
			if !yield(Attribute{Type: binary.NativeEndian.Uint16(b[2:]), Data: b[4:n:n]}, nil) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
		if len(b) > 0 {
			yield(Attribute{}, errAttributes)
		}
	}
}

// clone makes an attribute independent of the message that it came in.
func (a Attribute) clone() Attribute {
	return Attribute{Type: a.Type, Data: append([]byte(nil), a.Data...), Beside: a.Beside}
}

// The following set v to the data and say true if it has the length of its
// kind. Numbers are in the byte order of the machine if nothing else is said.

func (a Attribute) uint8(v *uint8) bool {
	if len(a.Data) != 1 {
		return false
	}
	*v = a.Data[0]
	return true
}

func (a Attribute) bool(v *bool) bool {
	if len(a.Data) != 1 || a.Data[0] > 1 {
		return false
	}
	*v = a.Data[0] == 1
	return true
}

func (a Attribute) uint16(v *uint16) bool {
	if len(a.Data) != 2 {
		return false
	}
	*v = binary.NativeEndian.Uint16(a.Data)
	return true
}

// port is a port in the byte order of the network.
func (a Attribute) port(v *uint16) bool {
	if len(a.Data) != 2 {
		return false
	}
	*v = binary.BigEndian.Uint16(a.Data)
	return true
}

func (a Attribute) uint32(v *uint32) bool {
	if len(a.Data) != 4 {
		return false
	}
	*v = binary.NativeEndian.Uint32(a.Data)
	return true
}

// index is the number of an interface.
func (a Attribute) index(v *int) bool {
	var n uint32
	if !a.uint32(&n) {
		return false
	}
	*v = int(int32(n))
	return true
}

// addr is an address of n bytes.
func (a Attribute) addr(n int, v *netip.Addr) bool {
	if len(a.Data) != n {
		return false
	}
	*v, _ = netip.AddrFromSlice(a.Data)
	return true
}

// An encoder is a sequence of attributes.
type encoder []byte

func (e *encoder) bytes(typ uint16, data []byte) {
	*e = binary.NativeEndian.AppendUint16(*e, uint16(4+len(data)))
	*e = binary.NativeEndian.AppendUint16(*e, typ)
	*e = append(*e, data...)
	*e = append(*e, make([]byte, -len(data)&3)...)
}

func (e *encoder) uint8(typ uint16, v uint8) { e.bytes(typ, []byte{v}) }

func (e *encoder) uint16(typ uint16, v uint16) {
	e.bytes(typ, binary.NativeEndian.AppendUint16(nil, v))
}

func (e *encoder) uint32(typ uint16, v uint32) {
	e.bytes(typ, binary.NativeEndian.AppendUint32(nil, v))
}

func (e *encoder) nested(typ uint16, inner encoder) { e.bytes(typ|nested, inner) }
