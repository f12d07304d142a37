package pathmanager

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/internal/sockopt"
)

// kernel is a network namespace: what it has, and how to change it.
type kernel struct {
	rt  *netlink.Conn
	pm  *Client
	own owned
}

// openKernel connects to a network namespace, nil being that of the calling
// thread. It fails where no endpoint could have an effect.
func openKernel(ns *os.File, own owned) (k *kernel, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if own == nil {
		own = make(owned)
	}
	err = visit(ns, func() error {
		pm, err := Dial()
		if err != nil {
			return err
		}
		rt, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			_ = pm.Close()
			return failed("connecting to routing netlink", err)
		}
		// Only the text of an error depends on it.
		_ = rt.SetOption(netlink.ExtendedAcknowledge, true)
		k = &kernel{rt: rt, pm: pm, own: own}
		return nil
	})
	return k, err
}

func (k *kernel) close() {
	k.rt.Close()
	_ = k.pm.Close()
}

// visit calls f on a thread in the network namespace; the caller has locked
// its goroutine to the thread.
func visit(ns *os.File, f func() error) error {
	if ns == nil {
		return f()
	}
	raw, err := ns.SyscallConn()
	if err != nil {
		return failed("entering the network namespace", err)
	}
	here, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return failed("entering the network namespace", err)
	}
	defer unix.Close(here)
	_, err = sockopt.Control(raw, func(fd int) (struct{}, error) {
		return struct{}{}, os.NewSyscallError("setns", unix.Setns(fd, unix.CLONE_NEWNET))
	})
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w: needs CAP_SYS_ADMIN in the user namespaces of both: run as root", err)
		}
		return failed("entering the network namespace", err)
	}
	defer func() {
		if err := unix.Setns(here, unix.CLONE_NEWNET); err != nil {
			runtime.LockOSThread() // nothing else may ever run on this thread
		}
	}()
	return f()
}

// effective says why endpoints would have no effect in the namespace of the
// thread. Kernels without one of the sysctls have no choice there.
func effective() error {
	read := func(name string) string {
		b, err := os.ReadFile("/proc/sys/net/mptcp/" + name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	if read("enabled") == "0" {
		return errors.New("pathmanager: Multipath TCP is switched off here: sysctl -w net.mptcp.enabled=1")
	}
	const userspace = "pathmanager: new connections are left to a program (mptcpd?), and endpoints count for nothing: " +
		"stop that program, then sysctl -w "
	if m := read("path_manager"); m != "" && m != "kernel" {
		return errors.New(userspace + "net.mptcp.path_manager=kernel, which is " + m)
	}
	if t := read("pm_type"); t != "" && t != "0" {
		return errors.New(userspace + "net.mptcp.pm_type=0, which is " + t)
	}
	return nil
}

// A snapshot is the state of a network namespace.
type snapshot struct {
	links     map[int]link
	addresses []address
	routes    []route
	rules     []rule
	endpoints []Endpoint
	limits    Limits
}

func (k *kernel) snapshot() (*snapshot, error) {
	s := &snapshot{links: make(map[int]link)}
	header := func(n int, family byte) []byte {
		b := make([]byte, n)
		b[0] = family
		return b
	}
	err := k.dump("reading the interfaces", unix.RTM_GETLINK, header(unix.SizeofIfInfomsg, 0), func(b []byte) error {
		l, err := decodeLink(b)
		s.links[l.index] = l
		return err
	})
	if err != nil {
		return nil, err
	}
	err = k.dump("reading the addresses", unix.RTM_GETADDR, header(unix.SizeofIfAddrmsg, 0), func(b []byte) error {
		a, err := decodeAddress(b)
		s.addresses = append(s.addresses, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		err := k.dump("reading the routes", unix.RTM_GETROUTE, header(unix.SizeofRtMsg, family), func(b []byte) error {
			r, err := decodeRoutes(b)
			s.routes = append(s.routes, r...)
			return err
		})
		if err != nil {
			return nil, err
		}
		err = k.dump("reading the rules", unix.RTM_GETRULE, header(unix.SizeofRtMsg, family), func(b []byte) error {
			r, err := decodeRule(b)
			s.rules = append(s.rules, r)
			return err
		})
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EAFNOSUPPORT) {
			return nil, err // without IPv6, or without rules
		}
	}
	if s.endpoints, err = k.pm.Endpoints(); err != nil {
		return nil, err
	}
	s.limits, err = k.pm.Limits()
	return s, err
}

// mostDumps is how often a dump is begun anew.
const mostDumps = 5

var errInterrupted = errors.New("they change faster than they can be read")

// dump asks for all objects of a kind. If they have changed meanwhile, some may
// be missing, and it asks again.
func (k *kernel) dump(what string, typ uint16, header []byte, f func([]byte) error) error {
	for range mostDumps {
		msgs, err := k.rt.Execute(netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.Dump},
			Data:   header,
		})
		if err != nil {
			return failed(what, err)
		}
		if slices.ContainsFunc(msgs, func(m netlink.Message) bool { return m.Header.Flags&netlink.DumpInterrupted != 0 }) {
			continue
		}
		for _, m := range msgs {
			if err := f(m.Data); err != nil {
				return failed(what, err)
			}
		}
		return nil
	}
	return failed(what, errInterrupted)
}

// change sends a request that is answered by an error or its absence.
func (k *kernel) change(what string, typ uint16, flags netlink.HeaderFlags, data []byte) error {
	_, err := k.rt.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   data,
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		err = fmt.Errorf("%w: %s", err, needsAdmin)
	case errors.Is(err, unix.EOPNOTSUPP) && (typ == unix.RTM_NEWRULE || typ == unix.RTM_DELRULE):
		err = fmt.Errorf("%w: needs a kernel with CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES", err)
	}
	return failed(what, err)
}
