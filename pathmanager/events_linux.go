package pathmanager

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"syscall"

	"github.com/mdlayher/genetlink"
	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

const (
	eventBuffer = 8 << 20 // of the socket; the kernel doubles it
	eventCost   = 512     // bytes of it that an event takes at least
	maxMessage  = 8 << 10 // an event has less than 200 bytes
)

// A subscription is a socket that hears of events.
type subscription struct {
	c      *genetlink.Conn
	raw    syscall.RawConn
	family uint16
	limit  int    // events that fit into the socket's buffer
	drops  uint32 // events that were lost and have been reported

	// The arguments and results of receive, which is made once.
	receive func(fd uintptr) (done bool)
	buf     []byte
	wait    bool
	n       int
	err     error
}

func (c *conn) events(ctx context.Context) (iter.Seq2[Event, error], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := c.subscribe()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, s.close)
	used := false
	return func(yield func(Event, error) bool) {
		if used {
			yield(Event{}, errors.New("pathmanager: the iterator of events was used before"))
			return
		}
		used = true
		defer s.close()
		defer stop()
		if err := s.run(yield); err != nil && ctx.Err() == nil {
			yield(Event{}, failed("reading events", err))
		}
	}, nil
}

// subscribe makes a subscription in the client's network namespace.
func (c *conn) subscribe() (*subscription, error) {
	i := slices.IndexFunc(c.family.Groups, func(g genetlink.MulticastGroup) bool { return g.Name == eventsGroup })
	if i < 0 {
		return nil, fmt.Errorf("%w: Linux has them from 5.12 on", errors.ErrUnsupported)
	}
	g, err := c.openAgain()
	if err != nil {
		return nil, err
	}
	s := &subscription{c: g, family: c.family.ID, buf: make([]byte, maxMessage)}
	s.receive = s.receiveOne
	if err = s.prepare(c.family.Groups[i].ID); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openAgain makes another socket in the network namespace of the first.
func (c *conn) openAgain() (*genetlink.Conn, error) {
	if c.ns == nil {
		return open(nil)
	}
	there, err := c.ns.Stat()
	if err != nil {
		return nil, err
	}
	// Entering a namespace takes a privilege even where one is already.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if here, err := os.Stat(threadNS); err == nil && os.SameFile(here, there) {
		return open(nil)
	}
	return open(c.ns)
}

func (s *subscription) prepare(group uint32) (err error) {
	if s.raw, err = s.c.SyscallConn(); err != nil {
		return err
	}
	// More than the sysctl allows takes a privilege. Whatever is allowed is good.
	_ = s.c.SetReadBuffer(eventBuffer)
	size, err := sockopt.Control(s.raw, func(fd int) (int, error) {
		return unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	s.limit = size / eventCost
	err = s.c.JoinGroup(group)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %s", err, needsAdmin)
	}
	return err
}

func (s *subscription) close() { s.c.Close() }

// run yields events until nobody wants more. Otherwise it returns an error.
func (s *subscription) run(yield func(Event, error) bool) error {
	for {
		switch err := s.read(true); {
		case errors.Is(err, unix.ENOBUFS):
			goOn, err := s.overflow(yield)
			if err != nil || !goOn {
				return err
			}
		case err != nil:
			return err
		default:
			for e, err := range decodeEvents(s.family, s.buf[:s.n]) {
				if !yield(e, err) {
					return nil
				}
			}
		}
	}
}

// overflow yields what was in the socket's buffer when it overflowed, and then
// an OverflowError. The kernel says at once that it has lost an event, and goes
// on losing them until the buffer is empty: what is missing is missing there.
// So the buffer is emptied before anything is yielded.
func (s *subscription) overflow(yield func(Event, error) bool) (goOn bool, err error) {
	type step struct {
		event Event
		err   error
	}
	var steps []step
	for range s.limit {
		err := s.read(false)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if errors.Is(err, unix.ENOBUFS) {
			continue
		}
		if err != nil {
			return false, err
		}
		for e, err := range decodeEvents(s.family, s.buf[:s.n]) {
			steps = append(steps, step{e, err})
		}
	}
	lost := s.lost()
	for _, step := range steps {
		if !yield(step.event, step.err) {
			return false, nil
		}
	}
	return yield(Event{}, &OverflowError{Lost: lost}), nil
}

// lost returns how many events were lost since it was last asked.
func (s *subscription) lost() uint32 {
	drops, err := sockopt.Control(s.raw, func(fd int) (uint32, error) {
		m, errno := sockopt.Mem(fd)
		if errno != 0 {
			return s.drops, nil
		}
		return m.Dropped, nil
	})
	if err != nil {
		return 0
	}
	lost := drops - s.drops
	s.drops = drops
	return lost
}

// read reads a datagram into the first n bytes of buf.
func (s *subscription) read(wait bool) error {
	s.wait = wait
	if err := s.raw.Read(s.receive); err != nil {
		return err
	}
	return s.err
}

func (s *subscription) receiveOne(fd uintptr) (done bool) {
	for {
		s.n, s.err = unix.Read(int(fd), s.buf)
		if s.err != unix.EINTR {
			return !s.wait || s.err != unix.EAGAIN
		}
	}
}
