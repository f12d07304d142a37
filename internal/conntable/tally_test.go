package conntable

import (
	"sync"
	"testing"
	"time"
)

// tallied returns what f adds to the tally. Tests that use it do not run in
// parallel.
func tallied(f func()) Sums {
	var before, after Sums
	before.Read()
	f()
	after.Read()
	for role := range after.Opened {
		for state := range after.Opened[role] {
			less(after.Opened[role][state][:], before.Opened[role][state][:])
		}
		less(after.Lost[role][:], before.Lost[role][:])
		less(after.Ended[role][:], before.Ended[role][:])
	}
	for result := range after.Dials {
		for i := range after.Dials[result] {
			after.Dials[result][i].Count -= before.Dials[result][i].Count
			after.Dials[result][i].Nanos -= before.Dials[result][i].Nanos
		}
	}
	for protocol := range after.Attempts {
		less(after.Attempts[protocol][:], before.Attempts[protocol][:])
	}
	less(after.Refused[:], before.Refused[:])
	after.Sent -= before.Sent
	after.Received -= before.Received
	return after
}

func less(a, b []uint64) {
	for i := range a {
		a[i] -= b[i]
	}
}

func TestTally(t *testing.T) {
	got := tallied(func() {
		CountOpened(Dialed, 3, 0)
		CountOpened(Dialed, 3, 0)
		CountOpened(Accepted, 1, 2)
		CountLost(Dialed, 14)
		CountEnded(Accepted, 17)
		CountRefused(UserTimeout)
		CountDial(3, 100*time.Microsecond, Multipath, 1, 0) // at a bound
		CountDial(2, 300*time.Millisecond+1, TCP, 2, 1)
		CountDial(DialFailed, time.Hour, NoProtocol, 1, 1)
		CountDial(200, -time.Second, NoProtocol, 0, 0) // nonsense has no effect on others
	})
	var want Sums
	want.Opened[Dialed][3][0], want.Opened[Accepted][1][2] = 2, 1
	want.Lost[Dialed][14] = 1
	want.Ended[Accepted][17] = 1
	want.Refused[UserTimeout] = 1
	want.Dials[3][0] = Bucket{1, 100_000}
	want.Dials[2][12] = Bucket{1, 300_000_001}
	want.Dials[DialFailed][len(DialBounds)] = Bucket{1, uint64(time.Hour)}
	want.Dials[DialFailed][0] = Bucket{1, 0}
	want.Attempts = [2][2]uint64{{2 + 1, 1}, {1, 1}}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDialBoundsRise(t *testing.T) {
	for i := 1; i < len(DialBounds); i++ {
		if DialBounds[i] <= DialBounds[i-1] {
			t.Errorf("bound %d is %v, after %v", i, DialBounds[i], DialBounds[i-1])
		}
	}
}

// TestCarried has many look at one connection at a time, some of them late: the
// sum is what the connection has carried.
func TestCarried(t *testing.T) {
	var c Carried
	got := tallied(func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for n := range uint64(1000) {
					c.Set(n, 2*n)
				}
			})
		}
		wg.Wait()
		c.Set(1, 1)
	})
	if sent, received := c.Bytes(); sent != 999 || received != 1998 || got.Sent != 999 || got.Received != 1998 {
		t.Errorf("the connection has %d and %d, the sum is %d and %d, want 999 and 1998", sent, received, got.Sent, got.Received)
	}
}

func TestTallyDoesNotAllocate(t *testing.T) {
	var c Carried
	var s Sums
	n := uint64(0)
	if allocs := testing.AllocsPerRun(100, func() {
		CountOpened(Dialed, 3, 0)
		CountLost(Dialed, 1)
		CountEnded(Dialed, 1)
		CountRefused(CongestionControl)
		CountDial(3, time.Millisecond, Multipath, 1, 1)
		n++
		c.Set(n, n)
		s.Read()
	}); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func BenchmarkTally(b *testing.B) {
	b.Run("opened", func(b *testing.B) {
		for b.Loop() {
			CountOpened(Dialed, 3, 0)
		}
	})
	b.Run("dial", func(b *testing.B) {
		for b.Loop() {
			CountDial(3, time.Millisecond, Multipath, 1, 0)
		}
	})
	b.Run("carried", func(b *testing.B) {
		var c Carried
		for n := uint64(1); b.Loop(); n++ {
			c.Set(n, n)
		}
	})
}
