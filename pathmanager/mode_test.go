package pathmanager

import (
	"net/netip"
	"strings"
	"testing"
)

func TestModeText(t *testing.T) {
	for _, m := range []Mode{Handover, Interactive, Aggregate} {
		text, err := m.MarshalText()
		var got Mode
		if err == nil {
			err = got.UnmarshalText(text)
		}
		if err != nil || got != m || string(text) != m.String() {
			t.Errorf("%v: %q, %v, %v", m, text, got, err)
		}
	}
	var m Mode
	if err := m.UnmarshalText([]byte("fast")); err == nil || !strings.Contains(err.Error(), "handover, interactive, aggregate") {
		t.Errorf("error %v", err)
	}
	if s := Mode(9).String(); s != "Mode(9)" {
		t.Error(s)
	}
}

func TestConfigChecked(t *testing.T) {
	for _, c := range []Config{
		{Mode: 3},
		{Table: 254},
		{Table: 32001},
		{Protocol: 4},
		{Paths: []string{"eth[", "lte"}},
		{Costly: []string{""}},
	} {
		if _, err := c.checked(); err == nil {
			t.Errorf("%+v: no error", c)
		}
		if _, err := c.Plan(); err == nil {
			t.Errorf("%+v: no error from Plan", c)
		}
		if _, err := c.Removal(); err == nil {
			t.Errorf("%+v: no error from Removal", c)
		}
		if err := (&Manager{Config: c}).Run(t.Context()); err == nil {
			t.Errorf("%+v: no error from Run", c)
		}
	}
	c, err := Config{}.checked()
	if err != nil || c.Table != 7100 || c.Protocol != 130 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := (Config{}).PlanIn(nil); err == nil {
		t.Error("PlanIn(nil) has no error")
	}
	if _, err := (Config{}).RemovalIn(nil); err == nil {
		t.Error("RemovalIn(nil) has no error")
	}
}

func TestNamed(t *testing.T) {
	list := []string{"wwan*", "eth0", "10.7.0.0/16", "fd00::7", "::ffff:192.0.2.1"}
	for _, c := range []struct {
		ifc, addr string
		want      bool
	}{
		{"wwan0", "10.0.0.1", true},
		{"eth0", "10.0.0.1", true},
		{"eth01", "10.0.0.1", false},
		{"wlan0", "10.7.9.9", true},
		{"wlan0", "10.8.0.1", false},
		{"wlan0", "fd00::7", true},
		{"wlan0", "fd00::8", false},
		{"wlan0", "192.0.2.1", true},
	} {
		if got := named(list, c.ifc, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s %s: %v", c.ifc, c.addr, got)
		}
	}
}

func TestModeFlags(t *testing.T) {
	for _, c := range []struct {
		config Config
		rank   int
		costly bool
		want   string
	}{
		{Config{}, 0, false, "subflow"},
		{Config{}, 1, false, "subflow backup"},
		{Config{}, 0, true, "subflow backup"},
		{Config{Mode: Interactive}, 1, false, "subflow"},
		{Config{Mode: Interactive}, 1, true, "subflow backup"},
		{Config{Mode: Aggregate}, 1, false, "subflow fullmesh"},
		{Config{Mode: Aggregate}, 1, true, "subflow backup fullmesh"},
		{Config{Announce: true}, 0, false, "signal"},
		{Config{Announce: true}, 1, false, "signal backup"},
		{Config{Mode: Aggregate, Announce: true}, 1, false, "signal"},
	} {
		if got := c.config.flags(c.rank, c.costly).String(); got != c.want {
			t.Errorf("%+v, rank %d, costly %v: %s, want %s", c.config, c.rank, c.costly, got, c.want)
		}
	}
}

func TestLimitsFor(t *testing.T) {
	for _, c := range []struct {
		config    Config
		now, want Limits
	}{
		{Config{}, Limits{Subflows: 2}, Limits{Subflows: 3}},
		{Config{}, Limits{Subflows: 5, AddAddrAccepted: 1}, Limits{Subflows: 5, AddAddrAccepted: 1}},
		{Config{Mode: Aggregate}, Limits{Subflows: 2}, Limits{Subflows: 8, AddAddrAccepted: 8}},
		{Config{Announce: true}, Limits{Subflows: 2}, Limits{Subflows: 8}},
	} {
		got := c.config.limitsFor(c.now, 3)
		if got.Subflows != c.want.Subflows || got.AddAddrAccepted != c.want.AddAddrAccepted {
			t.Errorf("%+v from %v: %v, want %v", c.config, c.now, got, c.want)
		}
	}
}
