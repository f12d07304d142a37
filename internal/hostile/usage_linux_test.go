package hostile

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/multipath-go/mptcp/internal/conntable"
)

// usage is what the process holds, and what the kernel holds for it.
type usage struct {
	goroutines, fds, entries int
	sockets                  int // of TCP and Multipath TCP in the server's network, those that nobody has open too
	heap                     uint64
}

// measure looks at the process, and at the sockets of the victim's network.
func (v *victim) measure() usage {
	v.t.Helper()
	runtime.GC()
	runtime.GC() // what has finalizers goes with the second
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		v.t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{goroutines: runtime.NumGoroutine(), fds: len(fds), entries: conntable.Len(), heap: m.HeapAlloc}
	count := func() { u.sockets, err = sockets() }
	if v.host != nil {
		v.host.Do(count)
	} else {
		count()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return u
}

// sockets counts those of TCP and Multipath TCP in this thread's network. The
// kernel's memory is not told for one network.
func sockets() (n int, err error) {
	b, err := os.ReadFile("/proc/thread-self/net/protocols")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line) // protocol size sockets …
		if len(f) < 3 || !strings.HasPrefix(f[0], "TCP") && !strings.HasPrefix(f[0], "MPTCP") {
			continue
		}
		s, err := strconv.Atoi(f[2])
		if err != nil {
			return 0, fmt.Errorf("/proc/net/protocols: %q: %w", line, err)
		}
		n += s
	}
	return n, nil
}

// settled measures until nothing changes any more, which is what to return to.
func (v *victim) settled() usage {
	v.t.Helper()
	last := v.measure()
	for range 50 {
		time.Sleep(100 * time.Millisecond)
		now := v.measure()
		same := now.goroutines == last.goroutines && now.fds == last.fds && now.entries == last.entries && now.sockets == last.sockets
		last = now
		if same {
			break
		}
	}
	return last
}

// patience is how long what clients have left may take to go: a good deal more
// than any timer, for a machine that is busy.
const patience = 3 * time.Minute

// returns waits until the process and the kernel hold no more than before. Of
// memory, a little more is right: maps and pools do not give everything back.
// It is less than what a kilobyte for each of the clients would come to.
func (v *victim) returns(before usage) {
	v.t.Helper()
	const keep = 4 << 20
	begin, slow := time.Now(), false
	for {
		now := v.measure()
		if now.goroutines <= before.goroutines && now.fds <= before.fds && now.entries <= before.entries &&
			now.sockets <= before.sockets && now.heap <= before.heap+keep {
			v.t.Logf("as before after %v: %+v", time.Since(begin).Round(10*time.Millisecond), now)
			return
		}
		if time.Since(begin) > 10*time.Second && !slow {
			slow = true
			v.t.Logf("after ten seconds still %+v", now)
		}
		if time.Since(begin) > patience {
			v.t.Errorf("before %+v, after %+v\n%s", before, now, stacks())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stacks are those of all goroutines, for an error.
func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:min(runtime.Stack(b, true), 20_000)])
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}
