package conntable

import (
	"iter"
	"math/bits"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
)

// A locals finds entries by the local addresses of their connections: by the pointers,
// not by what they point to. A lookup takes no lock and writes nothing, so processors
// never wait for each other: every report begins with one. Whoever adds or removes
// holds the lock.
type locals struct {
	slots atomic.Pointer[slots]

	_ [64]byte // keep those who write off the cache line that all others read

	mu   sync.Mutex
	live int // entries
	used int // slots that are not empty: what has left goes on filling its own
}

// A slots is an open-addressed hash table with linear probing. Their number is a power
// of two, and a quarter of them at least is empty.
type slots []atomic.Pointer[Entry]

const fewest = 64 // slots

// left is in the place of an entry that has left, so that what was put behind it for
// want of room is still found. Its address is no connection's.
var left = &Entry{Local: new(net.TCPAddr)}

// start is where to begin to look for a. It mixes the bits of the pointer, twice, since
// addresses are kept at regular distances: a hash that nobody can guess takes longer
// than all the rest of a lookup. Nobody who could guess this one has a say in where
// addresses are kept.
func (s slots) start(a *net.TCPAddr) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	h := uint64(reflect.ValueOf(a).Pointer()) * odd
	return (h ^ h>>32) * odd >> 32
}

// at is slot i, counted round and round.
func (s slots) at(i uint64) *atomic.Pointer[Entry] { return &s[i&uint64(len(s)-1)] }

// search returns the slot of the entry for a, and the entry, or the empty slot where
// it would be, and nil.
func (s slots) search(a *net.TCPAddr) (i uint64, e *Entry) {
	for i = s.start(a); ; i++ {
		if e = s.at(i).Load(); e == nil || e.Local == a {
			return i, e
		}
	}
}

// insert adds e, which must not be in.
func (s slots) insert(e *Entry) {
	i, _ := s.search(e.Local)
	s.at(i).Store(e)
}

func newLocals() *locals {
	l := new(locals)
	s := make(slots, fewest)
	l.slots.Store(&s)
	return l
}

// find returns the entry for a, or nil.
func (l *locals) find(a *net.TCPAddr) *Entry {
	_, e := l.slots.Load().search(a)
	return e
}

// put adds e, which must not be in.
func (l *locals) put(e *Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := *l.slots.Load(); 4*(l.used+1) > 3*len(s) {
		l.rebuild()
	}
	l.slots.Load().insert(e)
	l.used++
	l.live++
}

// remove takes e out, if it is in.
func (l *locals) remove(e *Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := *l.slots.Load()
	i, found := s.search(e.Local)
	if found != e {
		return
	}
	s.at(i).Store(left)
	if l.live--; len(s) > fewest && 8*l.live < len(s) {
		l.rebuild()
	}
}

// rebuild makes two slots at least for each entry and one more, and leaves behind what
// has left. Whoever looks meanwhile finds what was in before: nothing is added as long
// as the lock is held.
func (l *locals) rebuild() {
	s := make(slots, max(fewest, 1<<bits.Len(uint(2*l.live+1))))
	for e := range l.all() {
		s.insert(e)
	}
	l.used = l.live
	l.slots.Store(&s)
}

// all iterates over the entries, in no order.
func (l *locals) all() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		s := *l.slots.Load()
		for i := range s {
			if e := s[i].Load(); e != nil && e != left && !yield(e) {
				return
			}
		}
	}
}

// count returns the number of entries.
func (l *locals) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live
}
