package pathmanager

import (
	"fmt"
	"strconv"
	"strings"
)

// Flags say what an endpoint is for. The bits are those of linux/mptcp.h
// (MPTCP_PM_ADDR_FLAG_…), the names those of ip-mptcp(8).
type Flags uint32

// The flags. Signal cannot be combined with Fullmesh.
const (
	Signal   Flags = 1 << iota // announce the address to the peer
	Subflow                    // open a subflow from the address
	Backup                     // that carries data only when no other can
	Fullmesh                   // to every address of the peer, from Linux 5.16
	Implicit                   // made by the kernel, for an address that a subflow came from, from Linux 5.18
	Laminar                    // connect from it to what the peer announces, from Linux 6.18
)

var flagNames = []string{"signal", "subflow", "backup", "fullmesh", "implicit", "laminar"}

// String lists the flags as ip-mptcp(8) prints them, "subflow backup", and bits
// that have no name as a hexadecimal number. It is empty if there are none.
func (f Flags) String() string { return flagList(uint32(f), flagNames) }

// flagList names the bits of f, lowest first, and writes those that have no
// name as one number.
func flagList(f uint32, names []string) string {
	var words []string
	for i, name := range names {
		if f&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	if rest := f >> len(names) << len(names); rest != 0 {
		words = append(words, fmt.Sprintf("%#x", rest))
	}
	return strings.Join(words, " ")
}

// MarshalText returns the bytes of String.
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is the reverse of MarshalText. It takes the flags in any order,
// with spaces or commas between them.
func (f *Flags) UnmarshalText(text []byte) error {
	var all Flags
words:
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == ' ' || r == ',' }) {
		for i, name := range flagNames {
			if word == name {
				all |= 1 << i
				continue words
			}
		}
		n, err := strconv.ParseUint(word, 0, 32)
		if err != nil {
			return fmt.Errorf("pathmanager: flag %q: not one of %s, and not a number",
				word, strings.Join(flagNames, ", "))
		}
		all |= Flags(n)
	}
	*f = all
	return nil
}
