package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/internal/kernels/wire"
	pm "github.com/multipath-go/mptcp/pathmanager"
)

func raw(c net.Conn) syscall.RawConn {
	r, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		panic(err) // only a nil connection has none
	}
	return r
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// answers collects what came of questions.
type answers []wire.Answer

func (a *answers) add(name string, err error) {
	*a = append(*a, wire.Answer{Name: name, Error: said(err)})
}

// pathManager tries the commands of the path manager.
func pathManager() []wire.Answer {
	var a answers
	c, err := pm.Dial()
	a.add("dial", err)
	if err != nil {
		return a
	}
	defer c.Close()
	a.namespace(c)
	heard, err := hear(c)
	a.add("events", err)
	a.connection(c)
	a.add("events heard", heard())
	return a
}

// namespace tries endpoints and limits.
func (a *answers) namespace(c *pm.Client) {
	limits, err := c.Limits()
	a.add("limits", err)
	limits.Subflows, limits.AddAddrAccepted = 4, 4
	a.add("set limits", c.SetLimits(limits))
	a.add("limits as set", check(func() (string, error) {
		l, err := c.Limits()
		return fmt.Sprint(l.Subflows, l.AddAddrAccepted), err
	}, "4 4"))
	first := pm.Endpoint{ID: 1, Addr: netip.MustParseAddr("127.0.1.1"), Flags: pm.Subflow}
	a.add("add endpoint", c.AddEndpoint(first))
	read := func(id uint8) func() (string, error) {
		return func() (string, error) {
			e, err := c.Endpoint(id)
			return e.Flags.String(), err
		}
	}
	a.add("endpoint as added", check(read(1), "subflow"))
	a.add("set flag backup", c.SetFlags(pm.Endpoint{ID: 1, Flags: pm.Subflow | pm.Backup}))
	a.add("backup as set", check(read(1), "subflow backup"))
	a.add("set flag fullmesh", c.SetFlags(pm.Endpoint{ID: 1, Flags: pm.Subflow | pm.Fullmesh}))
	a.add("fullmesh as set", check(read(1), "subflow fullmesh"))
	laminar := pm.Endpoint{ID: 2, Addr: netip.MustParseAddr("127.0.1.2"), Flags: pm.Laminar}
	a.add("add endpoint laminar", c.AddEndpoint(laminar))
	a.add("delete endpoint", c.DeleteEndpoint(pm.Endpoint{ID: 1}))
	err = c.DeleteEndpoint(pm.Endpoint{ID: 77})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	} else {
		err = fmt.Errorf("%w: does not match os.ErrNotExist", cmp(err))
	}
	a.add("delete what is not there", err)
	a.add("flush", c.Flush())
	n := 0
	for ; n < 1000; n++ { // more than any kernel takes: an identifier is one byte
		addr := netip.AddrFrom4([4]byte{127, 0, byte(2 + n/250), byte(1 + n%250)})
		if err := c.AddEndpoint(pm.Endpoint{Addr: addr, Flags: pm.Signal}); err != nil {
			break
		}
	}
	list, err := c.Endpoints()
	a.add(fmt.Sprint("endpoints kept: ", n), err)
	if len(list) != n {
		a.add("endpoints listed", fmt.Errorf("%d of %d", len(list), n))
	}
	a.add("flush many", c.Flush())
}

func cmp(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func check(read func() (string, error), want string) error {
	got, err := read()
	if err == nil && got != want {
		err = fmt.Errorf("reads %q, want %q", got, want)
	}
	return err
}

// hear listens to events. What it returns waits for a while and says which it
// has not heard of a connection with a second subflow, and of its listener.
func hear(c *pm.Client) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	events, err := c.Events(ctx)
	if err != nil {
		cancel()
		return func() error { return err }, err
	}
	var mu sync.Mutex
	var heard []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range events {
			text := e.Type.String()
			if err != nil {
				text = err.Error()
			}
			mu.Lock()
			if !slices.Contains(heard, text) {
				heard = append(heard, text)
			}
			mu.Unlock()
		}
	}()
	return func() error {
		time.Sleep(300 * time.Millisecond)
		cancel()
		<-done
		slices.Sort(heard)
		return errors.New(strings.Join(heard, " "))
	}, nil
}

// connection tries the commands for a connection whose path manager is this
// program.
func (a *answers) connection(c *pm.Client) {
	heal, err := userspace()
	a.add("path manager in user space", err)
	defer heal()
	p, err := connect(false)
	if err != nil {
		a.add("a connection", err)
		return
	}
	defer p.close()
	if err := p.exchange(); err != nil {
		a.add("a connection", err)
		return
	}
	s, err := mptcp.Inspect(p.client)
	if err != nil || s.Token == 0 {
		a.add("a token", fmt.Errorf("%v: %w", s, cmp(err)))
		return
	}
	conn := c.Connection(s.Token)
	remote := addrPort(p.client.RemoteAddr())
	local := pm.Endpoint{ID: 7, Addr: netip.MustParseAddr("127.0.0.7"), Flags: pm.Subflow}
	a.add("announce", conn.Announce(pm.Endpoint{ID: 5, Addr: netip.MustParseAddr("127.0.0.5"), Flags: pm.Signal}))
	a.add("create subflow", conn.CreateSubflow(local, pm.Endpoint{Addr: remote.Addr(), Port: remote.Port()}))
	second := joined(p.client)
	a.add("subflow created", second.err)
	list, err := conn.Endpoints()
	a.add("endpoints of a connection", err)
	if err == nil && len(list) != 2 {
		a.add("endpoints of a connection listed", fmt.Errorf("%v", list))
	}
	if second.err == nil {
		a.add("set backup", conn.SetBackup(second.local, second.remote, true))
		a.add("destroy subflow", conn.DestroySubflow(second.local, second.remote))
	}
	a.add("remove", conn.Remove(5))
}

// A subflow is the second one of a connection.
type subflow struct {
	local, remote netip.AddrPort
	err           error
}

// joined waits for a second subflow.
func joined(c net.Conn) (s subflow) {
	for range 100 {
		list, err := mptcp.Subflows(c)
		if err != nil {
			return subflow{err: err}
		}
		if i := slices.IndexFunc(list, func(s mptcp.Subflow) bool {
			return s.Local != addrPort(c.LocalAddr()) && s.State == mptcp.TCPEstablished
		}); i >= 0 {
			return subflow{local: list[i].Local, remote: list[i].Remote}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return subflow{err: errors.New("none after two seconds")}
}

// userspace puts the path manager of new connections into the hands of this
// program.
func userspace() (heal func(), err error) {
	heal = func() {}
	for _, s := range []struct{ name, user, kernel string }{
		{"path_manager", "userspace", "kernel"}, {"pm_type", "1", "0"},
	} {
		name := "/proc/sys/net/mptcp/" + s.name
		err = os.WriteFile(name, []byte(s.user), 0)
		if err == nil {
			return func() { _ = os.WriteFile(name, []byte(s.kernel), 0) }, nil // nobody asks after it
		}
	}
	return heal, err
}
