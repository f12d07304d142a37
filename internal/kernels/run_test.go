package main

import (
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/kernels/wire"
)

// TestGuests: each suite is in one guest, and no guest is empty.
func TestGuests(t *testing.T) {
	for i := range kernels {
		k := &kernels[i]
		count := make(map[string]int)
		for _, some := range guests(k) {
			if len(some) == 0 {
				t.Errorf("%s: a guest without a suite", k.Series)
			}
			for _, s := range some {
				count[s.name]++
			}
		}
		for _, s := range suites {
			want := 1
			if k.Truth.Without && !s.bare {
				want = 0
			}
			if count[s.name] != want {
				t.Errorf("%s: %s is in %d guests, want %d", k.Series, s.name, count[s.name], want)
			}
		}
	}
}

// TestAnd: what several guests have said is what one would have.
func TestAnd(t *testing.T) {
	one := parse(strings.NewReader(`{"kernel":"6.1.0"}` + "\n" + `{"run":"a","exit":{"code":0}}` + "\n" + `{"end":true}` + "\n"))
	two := &transcript{Kernel: "6.1.0", Programs: []*program{{Name: "b"}}, Facts: new(wire.Facts), Broken: []string{"of two"}}
	var none *transcript
	got := none.and(one).and(two)
	if got.Kernel != "6.1.0" || len(got.Programs) != 2 || got.Facts == nil || len(got.Broken) != 1 {
		t.Errorf("%+v", got)
	}
	for _, other := range []string{"", "6.12.0"} {
		if got := none.and(&transcript{Kernel: "6.1.0"}).and(&transcript{Kernel: other}); len(got.Broken) != 1 {
			t.Errorf("6.1.0 and %q: %q", other, got.Broken)
		}
	}

	start := time.Now()
	first, second := ran{start, 2 * time.Minute, time.Minute, "7.2"}, ran{start.Add(time.Minute), 3 * time.Minute, time.Minute, "7.2"}
	want := ran{start, 4 * time.Minute, 2 * time.Minute, "7.2"}
	if a, b := (ran{}).and(first).and(second), second.and(first); a != want || b != want {
		t.Errorf("%v and %v, want %v", a, b, want)
	}
}
