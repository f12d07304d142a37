package mptcp

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// Counters are the kernel's Multipath TCP counters by their kernel names, such
// as "MPCapableSYNTX", "MPTCPRetrans" or "Blackhole". A name that this kernel
// does not count is absent, and reads as zero; new ones appear by themselves.
// Their meaning is documented in the kernel, Documentation/networking/snmp and
// net/mptcp/mib.h.
//
// They count what happened in the whole network namespace, in all processes.
type Counters map[string]uint64

// Sub returns the counters that moved since before, with how far they moved.
// A counter that is a gauge, such as "MPCurrEstab", may have gone down; it is
// then absent.
func (c Counters) Sub(before Counters) Counters {
	d := make(Counters)
	for name, v := range c {
		if old := before[name]; v > old {
			d[name] = v - old
		}
	}
	return d
}

// Sorted iterates over the counters in the order of their names.
func (c Counters) Sorted() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, name := range slices.Sorted(maps.Keys(c)) {
			if !yield(name, c[name]) {
				return
			}
		}
	}
}

// ReadCounters reads the Multipath TCP counters of the calling thread's
// network namespace. It costs about 70 microseconds and needs no privilege.
//
// A kernel without Multipath TCP has no such counters: the error then matches
// [errors.ErrUnsupported].
func ReadCounters() (Counters, error) { return readCounters() }

// parseNetstat picks the counters of one group out of /proc/net/netstat, where
// each group is a line of names followed by a line of values. It returns nil
// if there is no such group.
func parseNetstat(b []byte, group string) (Counters, error) {
	prefix := []byte(group + ":")
	for len(b) > 0 {
		var names, values []byte
		names, b, _ = bytes.Cut(b, []byte{'\n'})
		if !bytes.HasPrefix(names, prefix) {
			continue
		}
		values, _, _ = bytes.Cut(b, []byte{'\n'})
		n, v := bytes.Fields(names), bytes.Fields(values)
		if !bytes.HasPrefix(values, prefix) || len(n) != len(v) {
			return nil, fmt.Errorf("mptcp: malformed group %q in netstat", group)
		}
		c := make(Counters, len(n)-1)
		for i := 1; i < len(n); i++ {
			x, err := strconv.ParseUint(string(v[i]), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("mptcp: counter %q: %w", n[i], err)
			}
			c[string(n[i])] = x
		}
		return c, nil
	}
	return nil, nil
}
