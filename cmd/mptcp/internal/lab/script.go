// Package lab is the demonstration: one stream over TCP and one over Multipath
// TCP, each on a network of its own with the same two paths, of which one dies
// and comes back. It needs Linux and no privilege: see package mptcptest.
package lab

import (
	"fmt"
	"time"

	"github.com/multipath-go/mptcp/mptcptest"
)

// Path is one of the two paths.
type Path struct {
	Name  string // of the path, for people
	Link  string // of its interface
	Rate  mptcptest.Rate
	Delay time.Duration // one way
}

// String draws the path.
func (p Path) String() string {
	return fmt.Sprintf("  phone ── %s, %s, %v ── server\n", p.Name, speed(p.Rate), p.Delay)
}

// Script says what the paths are and when the first one dies.
type Script struct {
	First, Second Path
	Cut, Back     time.Duration // when the first path dies, and comes back
	End           time.Duration
	Tick          time.Duration // between two samples
}

// Default is what "mptcp lab" shows.
var Default = Script{
	First:  Path{Name: "Wi-Fi", Link: "wifi", Rate: 20 * mptcptest.Mbit, Delay: 10 * time.Millisecond},
	Second: Path{Name: "LTE", Link: "lte", Rate: 10 * mptcptest.Mbit, Delay: 25 * time.Millisecond},
	Cut:    6 * time.Second,
	Back:   13 * time.Second,
	End:    24 * time.Second,
	Tick:   100 * time.Millisecond,
}

// Lasting is the script with another length and everything in proportion.
func (s Script) Lasting(d time.Duration) Script {
	scale := func(t time.Duration) time.Duration { return time.Duration(float64(t) * float64(d) / float64(s.End)) }
	s.Cut, s.Back, s.End = scale(s.Cut), scale(s.Back), d
	return s
}

// Sample is what has arrived until a moment, in bytes.
type Sample struct {
	At         time.Duration
	TCP, MPTCP uint64 // at the application
	// What the paths have carried to it, headers and repetitions included.
	TCPFirst, TCPSecond, First, Second uint64
	Subflows                           int // of the Multipath TCP connection
}

// Stream is what became of one stream.
type Stream struct {
	Bytes uint64        // that arrived
	Gap   time.Duration // the longest time in which nothing arrived
	GapAt time.Duration // when it began
	Err   error         // that ended the stream before its time
	State string        // of the connection, at the end
}

// Result is everything that was seen.
type Result struct {
	Script     Script
	Samples    []Sample
	zero       Sample // what the paths had carried when the first began
	TCP, MPTCP Stream
	CutAt      time.Duration // when the path was cut in fact; zero: never
	BackAt     time.Duration
}

// Observer is told what happens while it happens.
type Observer interface {
	Sample(*Result)                  // the newest is the last
	Event(at time.Duration, e Event) // the path
}

// Event is what happens to the first path.
type Event uint8

// The events.
const (
	Cut Event = iota
	Back
)
