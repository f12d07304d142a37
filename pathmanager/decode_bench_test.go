package pathmanager

import "testing"

func BenchmarkDecodeEvent(b *testing.B) {
	m := messages(b)["sub-established-1"]
	b.ReportAllocs()
	for b.Loop() {
		if e, err := decodeEvent(m[0], m[4:]); err != nil || e.Type != EventSubflowEstablished {
			b.Fatal(e, err)
		}
	}
}

// TestDecodeAllocs: decoding an event does not allocate.
func TestDecodeAllocs(t *testing.T) {
	needLittleEndian(t)
	m := messages(t)["sub-established-1"]
	if n := testing.AllocsPerRun(100, func() { decodeEvent(m[0], m[4:]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
