package transport

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	here  = netip.MustParseAddrPort("192.0.2.1:443")
	there = netip.MustParseAddrPort("[2001:db8::1]:443")
)

func TestMemoryDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		if v := m.consult(here.String(), true); v != unknown {
			t.Fatal(v)
		}
		m.remember(here, false)
		hold := memoryHold
		for range 20 {
			if v := m.consult(here.String(), true); v != knownBad {
				t.Fatalf("hold %v: %v at its beginning", hold, v)
			}
			time.Sleep(hold - time.Millisecond)
			if v := m.consult(here.String(), true); v != knownBad {
				t.Fatalf("hold %v: %v before its end", hold, v)
			}
			time.Sleep(time.Millisecond)
			if v := m.consult(here.String(), true); v != worthATrial {
				t.Fatalf("hold %v: %v at its end", hold, v)
			}
			if v := m.consult(here.String(), true); v != knownBad {
				t.Fatalf("hold %v: a second dial got %v while the first one tries", hold, v)
			}
			m.remember(here, true)
			hold = min(2*hold, memoryHoldMax)
		}
		if hold != memoryHoldMax {
			t.Errorf("hold is %v after 20 failures", hold)
		}
		if v := m.consult(there.String(), true); v != unknown {
			t.Errorf("another destination: %v", v)
		}
		m.forget(here)
		if v := m.consult(here.String(), true); v != unknown || m.Len() != 0 {
			t.Errorf("forgotten: %v, %d left", v, m.Len())
		}
		m.remember(here, false)
		time.Sleep(memoryHold)
		if v := m.consult(here.String(), true); v != worthATrial {
			t.Errorf("after a success the first hold is short again, but %v", v)
		}
	})
}

// TestMemoryTrialWithoutOutcome: a trial that is cancelled, or whose host is
// down, leaves the next one to another dial soon.
func TestMemoryTrialWithoutOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		m.remember(here, false)
		for range 10 { // a hold of a minute
			time.Sleep(memoryHoldMax)
			if v := m.consult(here.String(), true); v != worthATrial {
				t.Fatal(v)
			}
			m.remember(here, true)
		}
		time.Sleep(memoryHoldMax)
		for range 3 {
			if v := m.consult(here.String(), true); v != worthATrial {
				t.Fatal(v)
			}
			time.Sleep(trialLease - time.Millisecond)
			if v := m.consult(here.String(), true); v != knownBad {
				t.Errorf("a second dial got %v while the first one may still try", v)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// TestMemoryWithoutTrial: a dial that can make one attempt at a time is never a
// trial, and does not take one from others.
func TestMemoryWithoutTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		m.remember(here, false)
		time.Sleep(memoryHold)
		if v := m.consult(here.String(), false); v != knownBad {
			t.Error(v)
		}
		if v := m.consult(here.String(), true); v != worthATrial {
			t.Error(v)
		}
	})
}

// TestMemoryAges: what was last found an hour ago counts no more, and what
// nobody asks about leaves as well.
func TestMemoryAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		m.remember(here, false)
		m.remember(there, false)
		time.Sleep(memoryHold + memoryAge - time.Millisecond)
		if v := m.consult(here.String(), false); v != knownBad {
			t.Errorf("before its time: %v", v)
		}
		time.Sleep(time.Millisecond)
		if v := m.consult(here.String(), true); v != unknown || m.Len() != 1 {
			t.Errorf("%v, %d left", v, m.Len())
		}
		m.remember(here, false)
		if m.Len() != 1 || m.consult(there.String(), true) != unknown {
			t.Errorf("%d destinations, the other one has aged", m.Len())
		}
	})
}

// TestMemoryForgotten: a trial that began before the memory was emptied does not
// bring back what it was about.
func TestMemoryForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		m.remember(here, false)
		time.Sleep(memoryHold)
		if v := m.consult(here.String(), true); v != worthATrial {
			t.Fatal(v)
		}
		m.Forget()
		m.remember(here, true)
		if m.Len() != 0 {
			t.Error("the destination is back")
		}
	})
}

// TestMemoryTogether: dials that fail at the same time are one failure.
func TestMemoryTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		for range 10 {
			m.remember(here, false)
		}
		time.Sleep(memoryHold)
		if v := m.consult(here.String(), true); v != worthATrial {
			t.Error(v)
		}
	})
}

func TestMemoryKeys(t *testing.T) {
	var m Memory
	m.remember(here, false)
	if v := m.consult("[::ffff:192.0.2.1]:443", true); v != knownBad {
		t.Errorf("the same destination as an IPv4-mapped address: %v", v)
	}
	m.remember(netip.AddrPort{}, false)
	if m.Len() != 1 || m.consult("not an address", true) != unknown {
		t.Error("something that is not an address was remembered")
	}
}

func TestMemoryBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		addr := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		}
		for i := range memorySize + 100 {
			m.remember(addr(i), false)
			time.Sleep(time.Microsecond)
		}
		if m.Len() != memorySize {
			t.Errorf("%d destinations", m.Len())
		}
		if v := m.consult(addr(memorySize+99).String(), true); v != knownBad {
			t.Errorf("the newest: %v", v)
		}
		if v := m.consult(addr(0).String(), true); v != unknown {
			t.Errorf("the one whose time is up first: %v", v)
		}
		m.Forget()
		if m.Len() != 0 {
			t.Errorf("%d destinations after Forget", m.Len())
		}
	})
}

func TestMemoryConcurrent(t *testing.T) {
	var m Memory
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(g % 2), byte(i >> 8), byte(i)}), 80)
				m.remember(a, i%3 == 0)
				m.consult(a.String(), true)
				if i%7 == 0 {
					m.forget(a)
				}
			}
		})
	}
	wg.Wait()
	m.Forget()
}

func FuzzMemoryConsult(f *testing.F) {
	f.Add("192.0.2.1:443")
	f.Add("[fe80::1%eth0]:80")
	f.Fuzz(func(t *testing.T, address string) {
		var m Memory
		m.remember(here, false)
		v := m.consult(address, true)
		if a, err := netip.ParseAddrPort(address); (err == nil && unmap(a) == here) != (v == knownBad) {
			t.Fatal(fmt.Sprint(address, v))
		}
	})
}
