package mptcptest

import (
	"fmt"
	"time"
)

// Rate is bits per second, counted from the IP header on. Zero is no limit.
type Rate int64

// Units of [Rate].
const (
	Kbit Rate = 1000
	Mbit Rate = 1000 * Kbit
	Gbit Rate = 1000 * Mbit
)

// String writes the rate in the largest unit that it is at least one of.
func (r Rate) String() string {
	switch {
	case r <= 0:
		return "unlimited"
	case r >= Gbit:
		return fmt.Sprintf("%.4gGbit/s", float64(r)/float64(Gbit))
	case r >= Mbit:
		return fmt.Sprintf("%.4gMbit/s", float64(r)/float64(Mbit))
	case r >= Kbit:
		return fmt.Sprintf("%.4gkbit/s", float64(r)/float64(Kbit))
	}
	return fmt.Sprintf("%dbit/s", int64(r))
}

// time is how long n bytes take.
func (r Rate) time(n int) time.Duration {
	if r <= 0 {
		return 0
	}
	return time.Duration(float64(n) * 8 / float64(r) * float64(time.Second))
}

// bytes is how many bytes go in d.
func (r Rate) bytes(d time.Duration) int { return int(float64(r) / 8 * d.Seconds()) }
