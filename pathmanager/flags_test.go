package pathmanager

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for f, want := range map[Flags]string{
		0:                          "",
		Subflow | Backup:           "subflow backup",
		Signal | Fullmesh:          "signal fullmesh",
		Implicit | Laminar | 1<<30: "implicit laminar 0x40000000",
		^Flags(0):                  "signal subflow backup fullmesh implicit laminar 0xffffffc0",
	} {
		text, err := f.MarshalText()
		if err != nil || string(text) != want || f.String() != want {
			t.Errorf("%#x is %q, %v, want %q", uint32(f), text, err, want)
		}
		got := Flags(12345)
		if err := got.UnmarshalText(text); err != nil || got != f {
			t.Errorf("%q is %#x, %v, want %#x", text, uint32(got), err, uint32(f))
		}
	}
	var f Flags
	if err := f.UnmarshalText([]byte(" backup,subflow  0x8 ")); err != nil || f != Backup|Subflow|Fullmesh {
		t.Errorf("%v, %v", f, err)
	}
	err := f.UnmarshalText([]byte("subflow bakcup"))
	if err == nil || !strings.Contains(err.Error(), `"bakcup"`) || !strings.Contains(err.Error(), "laminar") ||
		f != Backup|Subflow|Fullmesh {
		t.Errorf("%v, %v", f, err)
	}
}

func TestStrings(t *testing.T) {
	a := netip.MustParseAddr("10.0.2.7")
	for _, tt := range []struct {
		v    interface{ String() string }
		want string
	}{
		{Endpoint{}, "id 0"},
		{Endpoint{Addr: a}, "10.0.2.7"},
		{Endpoint{Addr: a, ID: 1, Flags: Subflow | Backup, IfIndex: 3}, "10.0.2.7 id 1 subflow backup dev if3"},
		{Endpoint{Addr: netip.MustParseAddr("fd00::1"), ID: 2, Port: 80, Flags: Signal}, "fd00::1 port 80 id 2 signal"},
		{Limits{Subflows: 2}, "add_addr_accepted 0 subflows 2"},
		{EventSubflowEstablished, "sub-established"},
		{EventType(4), "event-4"},
		{EventFlags(0), ""},
		{ServerSide | DenyJoinID0 | 8, "deny_join_id0 server_side 0x8"},
		{ResetMiddlebox, "middlebox"},
		{ResetReason(7), "reason-7"},
	} {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%#v is %q, want %q", tt.v, got, tt.want)
		}
	}
	b, err := json.Marshal(Event{Type: EventClosed, Token: 7, Flags: ServerSide, Reset: &Reset{Reason: ResetMPTCP}})
	for _, want := range []string{`"closed"`, `"server_side"`, `"Reason":"mptcp"`} {
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s, %v lacks %s", b, err, want)
		}
	}
}
