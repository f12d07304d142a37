package sockopt

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"
	"unsafe"

	"github.com/multipath-go/mptcp/internal/recorded"
)

// each looks at all rows of an array, which have to lie in b, one after the
// other.
func each(t *testing.T, what string, a Array, b []byte, most int) {
	t.Helper()
	if a.Rows() > most || a.Size > a.Stride || len(a.Data) > len(b) {
		t.Fatalf("%s: %d rows of %d bytes, stride %d, of %d bytes", what, a.Rows(), a.Size, a.Stride, len(b))
	}
	for i := range a.Rows() {
		if row := a.Row(i); !slices.Equal(row, b[i*a.Stride:][:a.Size]) {
			t.Fatalf("%s: row %d is %x", what, i, row)
		}
	}
}

// TestFullInfoSize: the struct is laid out as the kernel's.
func TestFullInfoSize(t *testing.T) {
	if unsafe.Sizeof(fullInfo{}) != fullInfoMin || unsafe.Sizeof(subflowHead{}) != SubflowDataSize {
		t.Errorf("%d and %d bytes", unsafe.Sizeof(fullInfo{}), unsafe.Sizeof(subflowHead{}))
	}
}

// FuzzFullInfo: whatever numbers the kernel returns, no row lies outside of
// what it was given to fill, and there are no more than it was asked for.
func FuzzFullInfo(f *testing.F) {
	f.Add(uint32(TCPInfoSize), uint32(SubflowInfoSize), uint32(2), uint32(8), make([]byte, 8*SubflowInfoSize), make([]byte, 8*TCPInfoSize))
	f.Add(uint32(232), uint32(SubflowInfoSize), uint32(9), uint32(8), make([]byte, 8*SubflowInfoSize), make([]byte, 8*TCPInfoSize))
	f.Add(^uint32(0), uint32(1<<31), uint32(64), uint32(64), make([]byte, 64), make([]byte, 64))
	tcp := maps.Collect(recorded.Each(recorded.FullTCP))
	for kernel, sf := range recorded.Each(recorded.FullAddrs) {
		f.Add(uint32(len(tcp[kernel])/2), uint32(len(sf)/2), uint32(2), uint32(8), sf, tcp[kernel])
	}
	f.Fuzz(func(t *testing.T, tcpUser, sfUser, subflows, arrays uint32, sf, ti []byte) {
		r := fullInfo{tcpUser: tcpUser, sfUser: sfUser, subflows: subflows, arrays: arrays}
		a, b := r.rows(sf, ti)
		most := int(min(subflows, arrays, 1<<20))
		each(t, "subflows", a, sf, most)
		each(t, "tcp_info", b, ti, most)
	})
}

// FuzzSubflowArray is the same of an array with its head, all of which the
// kernel writes.
func FuzzSubflowArray(f *testing.F) {
	f.Add(uint32(1), uint32(SubflowAddrsSize), SubflowAddrsSize, make([]byte, SubflowAddrsSize))
	f.Add(uint32(3), uint32(232), TCPInfoSize, make([]byte, 2*232+5))
	f.Add(^uint32(0), uint32(1), TCPInfoSize, make([]byte, 3))
	for name, size := range map[string]int{recorded.Addrs: SubflowAddrsSize, recorded.TCPInfos: TCPInfoSize} {
		for _, b := range recorded.Each(name) {
			f.Add(binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[12:]), size, b[SubflowDataSize:])
		}
	}
	f.Fuzz(func(t *testing.T, subflows, sizeUser uint32, size int, b []byte) {
		if size != SubflowAddrsSize {
			size = TCPInfoSize // no other is asked for
		}
		h := subflowHead{subflows: subflows, sizeUser: sizeUser}
		a := h.rows(b, size)
		each(t, "array", a, b, int(min(subflows, 1<<20)))
		if a.Rows() > 0 && a.Size > size {
			t.Errorf("rows of %d bytes", a.Size)
		}
	})
}
