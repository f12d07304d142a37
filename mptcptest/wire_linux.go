package mptcptest

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/multipath-go/mptcp/internal/sockopt"
	"golang.org/x/sys/unix"
)

const (
	etherLen  = 14 // Ethernet header
	batchSize = 64
)

// wire carries one direction of a link from one packet socket to another. One
// goroutine does all of it: receive, filter, queue, wait, send. It sleeps in
// ppoll, which unlike Go's own timers is exact to some microseconds, on a
// thread of its own.
type wire struct {
	d      *Direction
	rx, tx int
	wake   int // eventfd
	done   chan struct{}
	back   *wire // carries replies
	start  time.Time
	shaper shaper
	free   [][]byte
	size   int // of buffers
	in     *sockopt.Batch
	out    *sockopt.Batch

	mu      sync.Mutex
	closed  bool
	overrun uint64
	replies [][]byte // frames to carry that did not come from rx
}

func newWire(d *Direction, rx, tx, mtu int, seed uint64) (*wire, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &wire{
		d: d, rx: rx, tx: tx, wake: wake,
		done: make(chan struct{}), start: time.Now(), size: etherLen + mtu + slack,
		shaper: shaper{shape: d.currentShape(), random: rand.New(rand.NewPCG(seed, 0))},
		in:     sockopt.NewBatch(batchSize), out: sockopt.NewBatch(batchSize),
	}, nil
}

// poke makes the goroutine look at what has changed, if it has not ended: then
// the eventfd is closed, and its number may be that of somebody else's file.
func (w *wire) poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.wakeUp()
	}
}

func (w *wire) wakeUp() {
	_, _ = unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full: it is awake
}

// stop ends the goroutine, waits for it, and closes its eventfd.
func (w *wire) stop() {
	w.overruns()
	w.mu.Lock()
	w.closed = true
	w.wakeUp()
	w.mu.Unlock()
	<-w.done
	unix.Close(w.wake)
}

// overruns counts what the kernel had no room for before this wire took it.
func (w *wire) overruns() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		// Reading sets the kernel's count back to zero.
		if s, err := unix.GetsockoptTpacketStats(w.rx, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			w.overrun += uint64(s.Drops)
		}
	}
	return w.overrun
}

func (w *wire) run() {
	defer close(w.done)
	// The thread is given back, and must not end: Host.Command may have
	// started a process from it, which is killed when that thread dies.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)                    // refused: delays are less exact
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }() // the default again
	fds := []unix.PollFd{{Fd: int32(w.rx), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
	bufs := make([][]byte, batchSize)
	for {
		w.send(bufs)
		var timeout *unix.Timespec
		if at, ok := w.shaper.next(); ok {
			ts := unix.NsecToTimespec(max(0, at-w.now()))
			timeout = &ts
		}
		fds[0].Revents, fds[1].Revents = 0, 0
		_, _ = unix.Ppoll(fds, timeout, nil) // EINTR and ENOMEM: look again
		if fds[1].Revents != 0 && !w.command() {
			return
		}
		if fds[0].Revents != 0 {
			w.receive(bufs)
		}
	}
}

func (w *wire) now() int64 { return int64(time.Since(w.start)) }

// command answers a poke. It says false when the wire is to end.
func (w *wire) command() bool {
	var b [8]byte
	_, _ = unix.Read(w.wake, b[:]) // empty: another poke has told already
	w.shaper.setShape(w.now(), w.d.currentShape())
	w.mu.Lock()
	replies, closed := w.replies, w.closed
	w.replies = nil
	w.mu.Unlock()
	for _, f := range replies {
		w.enqueue(w.now(), f)
	}
	return !closed
}

// reply has frames carried as if they came from the far end.
func (w *wire) reply(frames ...[]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.replies = append(w.replies, frames...)
	w.wakeUp()
}

// receive takes a batch of what has come, and puts it through the filters. One
// batch at a time, so that sending is not put off.
func (w *wire) receive(bufs [][]byte) {
	for i := range bufs {
		bufs[i] = w.buffer()
	}
	n, errno := w.in.Recv(w.rx, bufs)
	if errno != 0 {
		n = 0 // the interface is down: nothing there
	}
	now := w.now()
	filters := w.d.filters()
	for i, b := range bufs {
		if i >= n || w.in.Len(i) < etherLen {
			w.free = append(w.free, b)
			continue
		}
		f := b[:w.in.Len(i)]
		if isReport(f) {
			w.free = append(w.free, b)
			continue
		}
		if f, ok := w.filter(f, filters); ok {
			w.enqueue(now, f)
			continue
		}
		w.d.stats.dropped(len(f) - etherLen)
		w.free = append(w.free, b)
	}
}

// isReport says whether a frame reports multicast groups (ff02::16). IPv6 sends
// some for every address, nobody wants them, and they spoil packet counts.
func isReport(f []byte) bool { return [6]byte(f) == [6]byte{0x33, 0x33, 0, 0, 0, 0x16} }

func (w *wire) filter(f []byte, filters []*injected) ([]byte, bool) {
	if len(filters) == 0 {
		return f, true
	}
	p := parse(f[etherLen:len(f):cap(f)])
	for _, i := range filters {
		if i.fault.Filter(&p) == Drop {
			w.answer(f, p.replies)
			return f, false
		}
	}
	p.finish()
	w.answer(f, p.replies)
	// The packet was changed in place, if at all, and may have grown.
	return f[:etherLen+len(p.data)], true
}

// answer sends packets back to where the frame f came from.
func (w *wire) answer(f []byte, packets [][]byte) {
	for _, p := range packets {
		b := make([]byte, etherLen, etherLen+len(p))
		copy(b, f[6:12])
		copy(b[6:], f[:6])
		copy(b[12:], f[12:14])
		w.back.reply(append(b, p...))
	}
}

func (w *wire) enqueue(now int64, f []byte) {
	if !w.shaper.add(now, f, len(f)-etherLen) {
		w.d.stats.dropped(len(f) - etherLen)
		w.recycle(f)
	}
}

// send passes on what is due.
func (w *wire) send(bufs [][]byte) {
	for {
		w.shaper.advance(w.now())
		n := 0
		for ; n < len(bufs); n++ {
			b, ok := w.shaper.due(w.now())
			if !ok {
				break
			}
			bufs[n] = b
		}
		if n == 0 {
			return
		}
		for todo := bufs[:n]; len(todo) > 0; {
			k, errno := w.out.Send(w.tx, todo)
			if errno != 0 {
				w.d.stats.dropped(len(todo[0]) - etherLen) // down, or too long by now
				todo = todo[1:]
				continue
			}
			for _, b := range todo[:k] {
				w.d.stats.passed(len(b) - etherLen)
			}
			todo = todo[k:]
		}
		for _, b := range bufs[:n] {
			w.recycle(b)
		}
	}
}

func (w *wire) buffer() []byte {
	if n := len(w.free); n > 0 {
		b := w.free[n-1]
		w.free = w.free[:n-1]
		return b
	}
	return make([]byte, w.size)
}

func (w *wire) recycle(b []byte) {
	if cap(b) >= w.size {
		w.free = append(w.free, b[:w.size])
	}
}
