// Package conntable is the process's table of live connections. It maps the
// address that a connection returns from LocalAddr to the connection's socket.
//
// Package net makes one [*net.TCPAddr] per socket and returns that same
// pointer for the life of the socket; crypto/tls, gRPC and net/http pass it on
// untouched. So the pointer names the connection in places that are given
// only its addresses. Go does not promise this: a test pins it, and the pair
// of addresses is the second key.
//
// The table holds no connection alive. An entry refers to the socket and not
// to the [*net.TCPConn]; it goes when the garbage collector finds the
// TCPConn unreachable, whether it was closed or leaked.
package conntable

import (
	"hash/maphash"
	"iter"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Role says which end of the connection this process is.
type Role uint8

// The two ends.
const (
	Dialed Role = iota
	Accepted
)

// An Entry is one connection. Its exported fields do not change once it is in
// the table.
type Entry struct {
	Raw    syscall.RawConn // the socket
	Local  *net.TCPAddr    // the pointer that LocalAddr returns
	Remote *net.TCPAddr    // the pointer that RemoteAddr returns
	Record any             // what the opener wants to remember; it must not refer to the connection
	ID     uint64          // unique in this process, in the order of opening

	// PlainState and PlainReason are the verdict in case the socket turns out
	// to be a plain TCP socket: the socket itself cannot say why it is one.
	PlainState, PlainReason uint8
	Role                    Role

	// Final is the verdict on a connection that has fallen back, and Last is
	// the newest status of one that has not: words of the root package, which
	// alone reads and writes them. Zero means none yet.
	Final atomic.Uint32
	Last  atomic.Uint64

	Recent atomic.Value // what package recent has seen of the connection

	// Ended is the reason for which this process has ended the connection
	// under its owner, a word of the root package. Gone is set when nobody has
	// the connection any more; the entry leaves the table then, unless it is
	// Held by somebody who has still to ask about it.
	Ended atomic.Uint32
	Gone  atomic.Bool
	Held  atomic.Bool

	Carried Carried // bytes of the application, while Multipath TCP carries them

	opened int64  // nanoseconds of Unix time
	tuple  uint64 // hash of both addresses
	next   *Entry // the next older one with the same tuple hash
}

// Opened returns when the connection was put into the table.
func (e *Entry) Opened() time.Time { return time.Unix(0, e.opened) }

// A shard of byTuple maps hashes to the newest entries that have them.
type shard struct {
	sync.RWMutex
	m map[uint64]*Entry

	_ [32]byte // keep neighbours off the cache line
}

var (
	seed    = maphash.MakeSeed()
	byLocal = newLocals()
	byTuple [32]shard
	lastID  atomic.Uint64
)

// shardOf returns the shard for h, a hash of both addresses.
func shardOf(h uint64) *shard { return &byTuple[h%uint64(len(byTuple))] }

type tuple struct{ local, remote netip.AddrPort }

func hashTuple(local, remote netip.AddrPort) uint64 {
	unmap := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	return maphash.Comparable(seed, tuple{unmap(local), unmap(remote)})
}

// Add puts c into the table, as e says. Raw, Local, Remote and ID of e are
// filled in. It does nothing and returns nil if c has no addresses or no
// socket any more.
func Add(c *net.TCPConn, e *Entry) *Entry {
	var ok bool
	if e.Local, ok = c.LocalAddr().(*net.TCPAddr); !ok {
		return nil
	}
	if e.Remote, ok = c.RemoteAddr().(*net.TCPAddr); !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	e.Raw = raw
	e.ID = lastID.Add(1)
	e.opened = time.Now().UnixNano()
	e.tuple = hashTuple(e.Local.AddrPort(), e.Remote.AddrPort())

	t := shardOf(e.tuple)
	t.Lock()
	if t.m == nil {
		t.m = make(map[uint64]*Entry)
	}
	e.next = t.m[e.tuple]
	t.m[e.tuple] = e
	t.Unlock()

	byLocal.put(e)
	runtime.AddCleanup(c, remove, e)
	return e
}

func remove(e *Entry) {
	e.Gone.Store(true)
	if !e.Held.Load() {
		drop(e)
	}
}

// Release ends what e.Held began.
func Release(e *Entry) {
	e.Held.Store(false)
	if e.Gone.Load() {
		drop(e)
	}
}

// drop takes e out of the table, if it is in there.
func drop(e *Entry) {
	byLocal.remove(e)

	t := shardOf(e.tuple)
	t.Lock()
	defer t.Unlock()
	head := t.m[e.tuple]
	if head == e {
		if e.next == nil {
			delete(t.m, e.tuple)
		} else {
			t.m[e.tuple] = e.next
		}
		return
	}
	for ; head != nil; head = head.next {
		if head.next == e {
			head.next = e.next
			return
		}
	}
}

// ByLocal returns the connection whose LocalAddr method returned local, or nil.
func ByLocal(local *net.TCPAddr) *Entry { return byLocal.find(local) }

// ByAddrs returns the newest connection between these addresses, or nil.
func ByAddrs(local, remote netip.AddrPort) *Entry {
	h := hashTuple(local, remote)
	s := shardOf(h)
	s.RLock()
	defer s.RUnlock()
	for e := s.m[h]; e != nil; e = e.next {
		if sameAddr(e.Local, local) && sameAddr(e.Remote, remote) {
			return e
		}
	}
	return nil
}

func sameAddr(a *net.TCPAddr, b netip.AddrPort) bool {
	ap := a.AddrPort()
	return ap.Port() == b.Port() && ap.Addr().Unmap() == b.Addr().Unmap()
}

// All iterates over the entries, those of closed connections that have not
// been collected yet included, in no order. Connections opened or gone during
// the iteration may or may not be seen.
func All() iter.Seq[*Entry] { return byLocal.all() }

// Len returns the number of entries.
func Len() int { return byLocal.count() }
