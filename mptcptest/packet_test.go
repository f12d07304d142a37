package mptcptest

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// segment makes a TCP segment with correct checksums.
func segment(src, dst string, flags byte, options, payload []byte) []byte {
	for len(options)%4 != 0 {
		options = append(options, optNOP)
	}
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	head := 20
	if s.Addr().Is6() {
		head = 40
	}
	b := make([]byte, head+20, head+20+len(options)+len(payload)+slack)
	b[0] = 4<<4 | 5
	if head == 40 {
		b[0] = 6 << 4
		b[6], b[7] = protoTCP, 64
	} else {
		b[8], b[9] = 64, protoTCP
	}
	b[head+12] = byte(20+len(options)) << 2
	b[head+13] = flags
	b = append(append(b, options...), payload...)
	p := Packet{data: b, l4: head, payload: head + 20 + len(options)}
	p.setSource(s)
	p.setDestination(d)
	p.finish()
	return p.data
}

// valid verifies checksums in another way than finish computes them: the sum
// over everything, checksum included, is all ones.
func valid(b []byte) bool {
	l4, pseudo := b[20:], sum(b[12:20], 0)
	if b[0]>>4 == 6 {
		l4, pseudo = b[40:], sum(b[8:40], 0)
	} else if fold(sum(b[:20], 0)) != 0 {
		return false
	}
	return fold(sum(l4, pseudo+protoTCP+uint32(len(l4)))) == 0
}

var (
	capable = []byte{optMPTCP, 4, 0x01, 0x01}
	addAddr = []byte{optMPTCP, 16, 0x30, 2, 10, 2, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8}
	mss     = []byte{2, 4, 5, 0xb4, optNOP}
)

func eachFamily(f func(src, dst string)) {
	f("10.1.0.1:1000", "10.1.0.2:80")
	f("[fd00:1::1]:1000", "[fd00:1::2]:80")
}

func TestPacket(t *testing.T) {
	eachFamily(func(src, dst string) {
		p := parse(segment(src, dst, flagSYN, slices.Concat(mss, capable), nil))
		if !p.TCP() || !p.SYN() || p.ACK() || p.Source() != netip.MustParseAddrPort(src) || p.Destination() != netip.MustParseAddrPort(dst) {
			t.Errorf("parsed %v", &p)
		}
		if want := src + " > " + dst + " SYN MP_CAPABLE"; p.String() != want {
			t.Errorf("String() = %q, want %q", p.String(), want)
		}
		if !p.HasMPTCP() || !p.HasMPTCP(MPCapable) || p.HasMPTCP(MPJoin) || place(&p) != OnSYN {
			t.Error("options not found")
		}
		if p.StripMPTCP(MPJoin) || !p.StripMPTCP() || p.HasMPTCP() {
			t.Error("option not stripped")
		}
		p.finish()
		if !valid(p.data) {
			t.Error("wrong checksum after stripping")
		}
		// What was there before is there still.
		for o := range p.options() {
			if o[0] != 2 || len(o) != 4 {
				t.Errorf("option % x", o)
			}
		}
	})
}

func TestPacketReset(t *testing.T) {
	eachFamily(func(src, dst string) {
		b := segment(src, dst, flagSYN, capable, nil)
		p := parse(b)
		binary.BigEndian.PutUint32(b[p.l4+4:], 41)
		p.Reset()
		if len(p.replies) != 1 {
			t.Fatal("no answer")
		}
		r := parse(p.replies[0])
		if !r.RST() || !r.ACK() || r.AckNumber() != 42 || r.Source() != p.Destination() || r.Destination() != p.Source() || !valid(r.data) {
			t.Errorf("answer %v, ack %d", &r, r.AckNumber())
		}
		if r.Reset(); len(r.replies) != 0 {
			t.Error("a reset was answered")
		}
	})
}

func TestPacketPayload(t *testing.T) {
	eachFamily(func(src, dst string) {
		p := parse(segment(src, dst, flagACK, nil, []byte("hello")))
		p.Rewrite(func(b []byte) { copy(b, "HELLO") })
		if !p.Append([]byte(" you")) {
			t.Error("no room")
		}
		p.finish()
		if q := parse(p.data); string(q.Payload()) != "HELLO you" || !valid(q.data) {
			t.Errorf("payload %q", q.Payload())
		}
		if p.Append(make([]byte, 1000)) {
			t.Error("room for too much")
		}
	})
}

func TestMangle(t *testing.T) {
	p := parse(segment("10.1.0.1:1", "10.1.0.2:2", flagACK, addAddr, nil))
	before := bytes.Clone(p.data)
	MangleAddAddr().Filter(&p)
	p.finish()
	if bytes.Equal(before, p.data) || !p.HasMPTCP(AddAddr) || !valid(p.data) {
		t.Error("not mangled")
	}
	if DropAddAddr().Filter(&p) != Drop {
		t.Error("not dropped")
	}
}

func FuzzPacket(f *testing.F) {
	eachFamily(func(src, dst string) {
		f.Add(segment(src, dst, flagSYN, capable, nil))
		f.Add(segment(src, dst, flagACK, addAddr, []byte("hello")))
	})
	f.Add([]byte{0x45})
	f.Fuzz(func(t *testing.T, data []byte) {
		every := func(p *Packet) bool { return p.HasMPTCP() || len(p.Payload()) > 0 }
		nat := &NAT{link: &Link{}, next: natFirst}
		nat.link.ends = [2]*end{newEnd(nat.link, nil, 1), newEnd(nat.link, nil, 2)}
		nat.forget()
		for _, fault := range []Fault{
			{Filter: func(*Packet) Verdict { return Pass }},
			DropMPTCPSYN(), DropMPTCPSYNACK(), DropMPTCP(), DropJoin(), DropAddAddr(), DropNth(1, every),
			ResetMPTCPSYN(), ResetAll(), StripMPTCP(Always), MangleAddAddr(),
			RewritePayload(func(b []byte) { b[0]++ }), GrowPayload([]byte("x"), every),
			{Filter: nat.out}, {Filter: nat.in},
		} {
			b := append(make([]byte, 0, len(data)+slack), data...)
			p := parse(b)
			fault.Filter(&p)
			_ = p.String()
			p.finish()
			if len(p.data) > cap(b) {
				t.Fatalf("%d bytes in a buffer of %d", len(p.data), cap(b))
			}
			for _, r := range p.replies {
				if q := parse(r); !q.RST() {
					t.Fatalf("answered with %v", &q)
				}
			}
		}
	})
}

func TestShaper(t *testing.T) {
	s := shaper{}
	ms := int64(time.Millisecond)
	s.setShape(0, Shape{Rate: 8 * Mbit, Delay: 5 * time.Millisecond, Queue: 3000}) // 1000 bytes per ms
	for i := range 4 {
		if ok := s.add(0, []byte{byte(i)}, 1000); ok != (i < 3) {
			t.Errorf("packet %d taken: %v", i, ok)
		}
	}
	for i, want := range []int64{6, 7, 8} {
		if s.advance(want*ms - 1); len(s.waiting.f) == 0 {
			t.Fatal("nothing there")
		}
		if _, ok := s.due(want*ms - 1); ok {
			t.Errorf("packet %d too early", i)
		}
		s.advance(want * ms)
		if b, ok := s.due(want * ms); !ok || b[0] != byte(i) {
			t.Errorf("packet %d not at %d ms", i, want)
		}
	}
	if _, ok := s.next(); ok {
		t.Error("something left")
	}
}
