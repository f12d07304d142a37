package pathmanager

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// conn is the system's half of a Client.
type conn struct {
	c      *genetlink.Conn
	family genetlink.Family
	ns     *os.File // the network namespace; nil if there is no /proc
}

const threadNS = "/proc/thread-self/ns/net"

func dial(ns *os.File) (*Client, error) {
	var c conn
	var err error
	if ns == nil {
		// The thread must not change between the two.
		runtime.LockOSThread()
		c.c, err = open(nil)
		c.ns, _ = os.Open(threadNS)
		runtime.UnlockOSThread()
	} else {
		if c.c, err = open(ns); err == nil {
			c.ns, err = duplicate(ns)
		}
	}
	if err == nil {
		_ = c.c.SetOption(netlink.ExtendedAcknowledge, true) // only the text of an error depends on it
		c.family, err = c.c.GetFamily(familyName)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w: this kernel has no Multipath TCP, or only one before Linux 5.6 (CONFIG_MPTCP)",
				errors.ErrUnsupported)
		}
	}
	if err != nil {
		_ = c.close()
		return nil, failed("connecting to the path manager", err)
	}
	return &Client{c}, nil
}

// open makes a socket in a network namespace, nil being that of the thread.
func open(ns *os.File) (*genetlink.Conn, error) {
	if ns == nil {
		return genetlink.Dial(nil)
	}
	// Only these say that a file is closed so that errors.Is finds it.
	if _, err := ns.Stat(); err != nil {
		return nil, err
	}
	raw, err := ns.SyscallConn()
	if err != nil {
		return nil, err
	}
	c, err := sockopt.Control(raw, func(fd int) (*genetlink.Conn, error) {
		return genetlink.Dial(&netlink.Config{NetNS: fd})
	})
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("entering network namespace %s: %w: this needs CAP_SYS_ADMIN in the user namespace "+
			"that owns it, and in that of this program", ns.Name(), err)
	case errors.Is(err, syscall.EINVAL):
		return nil, fmt.Errorf("entering network namespace %s: %w: this is another kind of file", ns.Name(), err)
	case err != nil:
		return nil, fmt.Errorf("entering network namespace %s: %w", ns.Name(), err)
	}
	return c, nil
}

func (c *conn) close() error {
	c.ns.Close()
	if c.c == nil {
		return nil
	}
	return c.c.Close()
}

// change sends a request that is answered by an error or its absence.
func (c *conn) change(cmd uint8, attrs encoder) error {
	_, err := c.execute(cmd, netlink.Acknowledge, attrs)
	return err
}

// get sends a request and returns the answer, without its headers.
func (c *conn) get(cmd uint8, attrs encoder) ([][]byte, error) { return c.execute(cmd, 0, attrs) }

// dump is get for all objects of a kind.
func (c *conn) dump(cmd uint8, attrs encoder) ([][]byte, error) {
	return c.execute(cmd, netlink.Dump, attrs)
}

func (c *conn) execute(cmd uint8, flags netlink.HeaderFlags, attrs encoder) ([][]byte, error) {
	m := genetlink.Message{Header: genetlink.Header{Command: cmd, Version: familyVersion}, Data: attrs}
	answers, err := c.c.Execute(m, c.family.ID, netlink.Request|flags)
	if err != nil {
		return nil, refused(cmd, err)
	}
	data := make([][]byte, len(answers))
	for i, a := range answers {
		data[i] = a.Data
	}
	return data, nil
}

// refused tells the kernel's answers from other errors.
func refused(cmd uint8, err error) error {
	op, ok := errors.AsType[*netlink.OpError](err)
	if !ok {
		return err
	}
	if _, ok := errors.AsType[*os.SyscallError](op.Err); ok {
		return err
	}
	if errno, ok := errors.AsType[syscall.Errno](op.Err); ok {
		return &refusal{command: cmd, errno: errno, message: op.Message}
	}
	return err
}

// duplicate makes another descriptor of a file.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, err := sockopt.Control(raw, func(fd int) (int, error) {
		return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
