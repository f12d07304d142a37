package doctor

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/recorded"
)

func FuzzRoute(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 8, 0, 4, 0, 2, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1})
	f.Add([]byte{2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, 20, 0, 9, 0, 16, 0, 0, 0, 3, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1})
	for _, name := range []string{recorded.Links, recorded.Routes} {
		for _, all := range recorded.Each(name) {
			for m := range recorded.Messages(all) {
				f.Add(m[unix.SizeofNlMsghdr:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parseLink(b)
		r, err := parseRoute(b)
		if err == nil && r.family != b[0] {
			t.Errorf("%+v", r)
		}
	})
}

// TestHere reads this host, as far as that is possible everywhere.
func TestHere(t *testing.T) {
	r, err := Examine(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) < 5 || r.Kernel == "" || r.Results[0].Check != "mptcp" || r.Results[0].State == Unknown {
		t.Errorf("%+v", r)
	}
	if _, err := Examine(t.Context(), "nothing"); err == nil {
		t.Error("a target without a port")
	}

	// Nothing stays open, and nothing goes on.
	open := func() (files, goroutines int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list), runtime.NumGoroutine()
	}
	files, goroutines := open()
	for range 5 {
		if _, err := Examine(t.Context(), "127.0.0.1:1"); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, g := open()
		if f <= files && g <= goroutines {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d files and %d goroutines, %d and %d before", f, g, files, goroutines)
		}
	}
}
