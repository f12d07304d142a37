package pathmanager

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what TestDecode decodes to testdata/decoded.txt")

// messages are what a kernel has said: see recordFlag.
func messages(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.bin")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := make(map[string][]byte)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".bin")] = b
	}
	return all
}

// needLittleEndian skips where recorded messages are not in the byte order of
// the machine.
func needLittleEndian(t testing.TB) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the messages were recorded on a little-endian machine")
	}
}

// TestDecode decodes messages of Linux 6.18.
func TestDecode(t *testing.T) {
	needLittleEndian(t)
	var got strings.Builder
	for name, b := range sorted(messages(t)) {
		switch name {
		case "endpoints":
			all, err := decodeEndpoints([][]byte{b})
			if err != nil {
				t.Error(err)
			}
			for _, e := range all {
				fmt.Fprintf(&got, "%s: %v\n", name, e)
				if len(e.Unknown) > 0 {
					t.Errorf("%s: unknown attributes %v", name, e.Unknown)
				}
			}
		case "limits":
			l, err := decodeLimits([][]byte{b})
			if err != nil || len(l.Unknown) > 0 {
				t.Error(l, err)
			}
			fmt.Fprintf(&got, "%s: %v\n", name, l)
		default:
			e, err := decodeEvent(b[0], b[4:])
			if err != nil || len(e.Unknown) > 0 {
				t.Errorf("%s: %v, %v", name, e, err)
			}
			fmt.Fprintf(&got, "%s: %v\n", name, e)
		}
	}
	const golden = "testdata/decoded.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v, decoded\n%s\nwant\n%s", err, &got, want)
	}
}

func sorted(m map[string][]byte) func(func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		files, _ := filepath.Glob("testdata/*.bin") // in order
		for _, name := range files {
			name = strings.TrimSuffix(filepath.Base(name), ".bin")
			if !yield(name, m[name]) {
				return
			}
		}
	}
}

// TestDecodeUnknown decodes what no kernel says yet, or none should.
func TestDecodeUnknown(t *testing.T) {
	var b encoder
	b.uint32(eventToken, 0x1234)
	b.uint16(eventLocalID, 7)          // too long
	b.bytes(eventLocal4, []byte{1})    // too short
	b.uint8(eventBackup, 2)            // neither yes nor no
	b.uint32(eventResetFlags, 2)       // another flag
	b.uint8(eventServerSide, 1)        // the flag
	b.bytes(99, []byte{1, 2, 3, 4, 5}) // new
	b.bytes(100|nested, nil)           // new
	b.uint32(eventTimeout, 5)          // never seen
	b.uint16(eventRemotePort, 0x5000)  // without an address
	want := Event{
		Type: 42, Token: 0x1234, Flags: ServerSide, Timeout: 5,
		Unknown: []Attribute{
			{Type: eventLocalID, Data: binary.NativeEndian.AppendUint16(nil, 7)},
			{Type: eventLocal4, Data: []byte{1}},
			{Type: eventBackup, Data: []byte{2}},
			{Type: eventResetFlags, Data: binary.NativeEndian.AppendUint32(nil, 2)},
			{Type: 99, Data: []byte{1, 2, 3, 4, 5}},
			{Type: 100 | nested, Data: nil},
		},
	}
	got, err := decodeEvent(42, b)
	want.Remote = netip.AddrPortFrom(netip.Addr{}, binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, 0x5000)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n%+v, %v, want\n%+v", got, err, want)
	}
	if s := got.String(); !strings.Contains(s, "event-42 ") || !strings.Contains(s, "attribute-99 0102030405") ||
		!strings.Contains(s, "timeout 5") {
		t.Errorf("written %q", s)
	}

	// What follows a malformed attribute is lost, what is before it is not.
	got, err = decodeEvent(1, append(b[:8:8], 3, 0, 1, 0))
	if err == nil || got.Token != 0x1234 {
		t.Errorf("malformed: %+v, %v", got, err)
	}
	if _, err := decodeEndpoints([][]byte{{1}}); err == nil {
		t.Error("no error for malformed endpoints")
	}
	if _, err := decodeEndpoints([][]byte{{8, 0, 1, 0, 1, 0, 1, 0}}); err == nil {
		t.Error("no error for a malformed endpoint")
	}
	if _, err := decodeLimits([][]byte{{1}}); err == nil {
		t.Error("no error for malformed limits")
	}

	b = nil
	b.uint32(attrSubflows, 3)
	b.uint32(99, 4)
	l, err := decodeLimits([][]byte{b})
	if err != nil || l.Subflows != 3 || len(l.Unknown) != 1 || !bytes.Contains(l.encode(), b[8:]) {
		t.Errorf("limits %+v, %v", l, err)
	}
}

// TestDecodeDatagram decodes several messages that come together.
func TestDecodeDatagram(t *testing.T) {
	const family = 30
	message := func(typ uint16, payload ...byte) []byte {
		b := binary.NativeEndian.AppendUint32(nil, uint32(16+len(payload)))
		b = binary.NativeEndian.AppendUint16(b, typ)
		b = append(b, make([]byte, 10)...)
		b = append(b, payload...)
		return append(b, make([]byte, -len(payload)&3)...)
	}
	b := bytes.Join([][]byte{message(family, 3, 1, 0, 0), message(2, 1, 2, 3, 4), message(family, 9), message(family, 15, 1, 0, 0)}, nil)
	var types []EventType
	for e, err := range decodeEvents(family, b) {
		if err != nil {
			t.Error(err)
		}
		types = append(types, e.Type)
	}
	if !reflect.DeepEqual(types, []EventType{EventClosed, EventListenerCreated}) {
		t.Errorf("types %v", types)
	}
	for _, bad := range [][]byte{{1, 2, 3}, message(family, 3, 1, 0, 0)[:18], append(message(family, 1, 1, 0, 0), 1)} {
		var last error
		for _, err := range decodeEvents(family, bad) {
			last = err
		}
		if last == nil {
			t.Errorf("no error for %x", bad)
		}
	}
	for range decodeEvents(family, b) {
		break
	}
}

func TestEndpointRoundTrip(t *testing.T) {
	for _, want := range []Endpoint{
		{},
		{Addr: netip.MustParseAddr("10.1.0.1"), Flags: Subflow | Backup},
		{ID: 7, Addr: netip.MustParseAddr("fd00::1"), Port: 8080, Flags: Signal | 1<<31, IfIndex: 3},
		{ID: 255, Addr: netip.MustParseAddr("::ffff:10.1.0.1"), IfIndex: -1},
		{ID: 1, Unknown: []Attribute{{Type: 99, Data: []byte{1, 2, 3}}, {Type: 100 | nested, Data: []byte{8, 0, 1, 0, 1, 2, 3, 4}}, {Type: 77, Data: []byte{1}, Beside: true}}},
	} {
		var b encoder
		b.uint32(attrToken, 1)
		b = append(b, want.message()...)
		got, err := decodeEndpoints([][]byte{b})
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("decoded %+v, %v, want %+v", got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range messages(f) {
		f.Add(b)
	}
	f.Add([]byte{12, 0, 1, 0x80, 8, 0, 3, 0, 10, 1, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeLimits([][]byte{b})
		for range decodeEvents(30, b) {
		}
		all, err := decodeEndpoints([][]byte{b})
		for _, e := range all {
			again, err2 := decodeEndpoints([][]byte{e.message()})
			if err == nil && (err2 != nil || len(again) != 1 || !reflect.DeepEqual(again[0], e)) {
				t.Errorf("%+v is %+v when decoded again, %v", e, again, err2)
			}
		}
		if len(b) == 0 {
			return
		}
		e, _ := decodeEvent(b[0], b[1:])
		_ = e.String()
		unknown := 0
		for a, err := range attributes(b[1:]) {
			if err != nil {
				break
			}
			if a.number() == 0 || a.number() > eventServerSide {
				unknown++
			}
		}
		if len(e.Unknown) < unknown {
			t.Errorf("%d attributes have no name, %d were kept", unknown, len(e.Unknown))
		}
	})
}
