package pathmanager_test

import (
	"errors"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/multipath-go/mptcp/mptcptest"
	"github.com/multipath-go/mptcp/pathmanager"
)

// dial connects to the path manager of a host.
func dial(t testing.TB, h *mptcptest.Host) *pathmanager.Client {
	t.Helper()
	var c *pathmanager.Client
	var err error
	h.Do(func() { c, err = pathmanager.Dial() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// must fails the test if what was done has failed.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the error of something that has to fail.
func refused(t testing.TB, what string, err, target error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %v", what, target)
		return
	}
	if !errors.Is(err, target) {
		t.Errorf("%s: %v does not match %v", what, err, target)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

// TestEndpoints has the kernel keep every kind of endpoint with every attribute
// that one can have, and reads them back.
func TestEndpoints(t *testing.T) {
	lab := mptcptest.New(t)
	h := lab.Host("h")
	link := lab.Link(h, lab.Host("other"), mptcptest.LinkConfig{Name: "wifi"})
	c := dial(t, h)
	const signal, subflow, backup, fullmesh, laminar = pathmanager.Signal, pathmanager.Subflow,
		pathmanager.Backup, pathmanager.Fullmesh, pathmanager.Laminar
	index := ifIndex(t, h, "wifi")
	all := []pathmanager.Endpoint{
		{ID: 1, Addr: netip.MustParseAddr("10.9.0.1"), Flags: subflow},
		{ID: 2, Addr: netip.MustParseAddr("10.9.0.2"), Flags: subflow | backup, IfIndex: index},
		{ID: 3, Addr: link.Addr6(h), Flags: signal, Port: 8080},
		{ID: 4, Addr: netip.MustParseAddr("fd00::4"), Flags: subflow | fullmesh},
		{ID: 5, Addr: link.Addr(h), Flags: signal | backup, Port: 65535},
		{ID: 6, Addr: netip.MustParseAddr("10.9.0.6"), Flags: signal | subflow},
		{ID: 255, Addr: netip.MustParseAddr("10.9.0.7"), Flags: laminar},
	}
	check := func(want []pathmanager.Endpoint) {
		t.Helper()
		got, err := c.Endpoints()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("endpoints\n%v, %v, want\n%v", got, err, want)
		}
	}
	check(nil)
	for _, e := range all {
		must(t, c.AddEndpoint(e))
	}
	check(all)
	recordAnswer(t, h, "endpoints.bin", 3, netlink.Dump) // MPTCP_PM_CMD_GET_ADDR
	recordAnswer(t, h, "limits.bin", 6, 0)               // MPTCP_PM_CMD_GET_LIMITS
	for _, want := range all {
		if got, err := c.Endpoint(want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("endpoint %d: %v, %v, want %v", want.ID, got, err, want)
		}
	}

	// Flags, by identifier, by address and port, and by an address that is
	// written as IPv6.
	must(t, c.SetFlags(pathmanager.Endpoint{ID: 1, Flags: backup | fullmesh}))
	all[0].Flags = subflow | backup | fullmesh
	must(t, c.SetFlags(pathmanager.Endpoint{Addr: all[1].Addr, Flags: fullmesh}))
	all[1].Flags = subflow | fullmesh
	must(t, c.SetFlags(pathmanager.Endpoint{Addr: all[2].Addr, Port: 8080, Flags: backup}))
	all[2].Flags = signal | backup
	must(t, c.SetFlags(pathmanager.Endpoint{Addr: netip.MustParseAddr("::ffff:10.9.0.6"), Flags: backup}))
	all[5].Flags = signal | subflow | backup
	check(all)
	refused(t, "flags of nothing", c.SetFlags(pathmanager.Endpoint{Flags: backup}), syscall.EINVAL, "neither")
	refused(t, "flags of id 99", c.SetFlags(pathmanager.Endpoint{ID: 99}), os.ErrNotExist, "id 99", "not found")
	refused(t, "flags of an address", c.SetFlags(pathmanager.Endpoint{Addr: netip.MustParseAddr("10.9.9.9")}),
		os.ErrNotExist, "10.9.9.9")
	refused(t, "port 1", c.SetFlags(pathmanager.Endpoint{Addr: all[2].Addr, Port: 1}), os.ErrNotExist, "port 1")
	refused(t, "signal fullmesh", c.SetFlags(pathmanager.Endpoint{ID: 6, Flags: fullmesh}), syscall.EINVAL, "flags")

	// What cannot be added.
	again := all[0]
	again.ID = 0
	refused(t, "twice", c.AddEndpoint(again), os.ErrExist, "10.9.0.1", "delete it first")
	refused(t, "an identifier twice", c.AddEndpoint(pathmanager.Endpoint{ID: 6, Addr: netip.MustParseAddr("10.9.0.8")}),
		os.ErrExist, "id 6")
	refused(t, "no address", c.AddEndpoint(pathmanager.Endpoint{ID: 8}), syscall.EINVAL, "no address")
	refused(t, "a zone", c.AddEndpoint(pathmanager.Endpoint{Addr: netip.MustParseAddr("fe80::1%wifi")}),
		syscall.EINVAL, "fe80::1%wifi", "IfIndex")
	if strconv.IntSize == 64 {
		tooMuch := int64(math.MaxInt32) + 1
		refused(t, "an index", c.AddEndpoint(pathmanager.Endpoint{Addr: all[0].Addr, IfIndex: int(tooMuch)}),
			syscall.EINVAL, "IfIndex")
	}
	new8 := netip.MustParseAddr("10.9.0.8")
	refused(t, "fullmesh", c.AddEndpoint(pathmanager.Endpoint{Addr: new8, Flags: signal | fullmesh}), syscall.EINVAL,
		"mustn't have both signal and fullmesh")
	refused(t, "a port", c.AddEndpoint(pathmanager.Endpoint{Addr: new8, Flags: subflow, Port: 1}), syscall.EINVAL,
		"must have signal")
	refused(t, "implicit", c.AddEndpoint(pathmanager.Endpoint{Addr: new8, Flags: pathmanager.Implicit}),
		syscall.EINVAL, "IMPLICIT")
	check(all)

	// The kernel chooses an identifier, and keeps 8 endpoints.
	must(t, c.AddEndpoint(pathmanager.Endpoint{Addr: netip.MustParseAddr("::ffff:10.9.0.8"), Flags: subflow}))
	got, err := c.Endpoints()
	if err != nil || len(got) != 8 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, e := range got {
		if e.Addr == new8 {
			new8 = netip.Addr{}
			if e.ID == 0 {
				t.Errorf("%v has no identifier", e)
			}
			must(t, c.DeleteEndpoint(e))
		}
	}
	if new8.IsValid() {
		t.Errorf("no endpoint %v in %v", new8, got)
	}
	check(all)
	must(t, c.AddEndpoint(pathmanager.Endpoint{Addr: netip.MustParseAddr("10.9.0.8"), Flags: subflow}))
	must(t, c.SetFlags(pathmanager.Endpoint{ID: 1, Flags: backup | 1<<30})) // a flag that there is not
	refused(t, "a ninth", c.AddEndpoint(pathmanager.Endpoint{Addr: netip.MustParseAddr("10.9.0.9")}), unix.ERANGE,
		"10.9.0.9", "too many")

	// Deleting.
	must(t, c.DeleteEndpoint(pathmanager.Endpoint{ID: 1}))
	refused(t, "deleting twice", c.DeleteEndpoint(all[0]), os.ErrNotExist, "10.9.0.1 id 1")
	refused(t, "reading it", endpointErr(c, 1), os.ErrNotExist, "id 1")
	refused(t, "reading id 0", endpointErr(c, 0), os.ErrNotExist, "id 0")
	refused(t, "deleting nothing", c.DeleteEndpoint(pathmanager.Endpoint{}), syscall.EINVAL, "neither")
	must(t, c.DeleteEndpoint(pathmanager.Endpoint{Addr: link.Addr(h)})) // no connection began there
	must(t, c.SetLimits(pathmanager.Limits{Subflows: 3, AddAddrAccepted: 4}))
	must(t, c.Flush())
	check(nil)
	if l, err := c.Limits(); err != nil || l.Subflows != 3 {
		t.Errorf("limits after Flush: %v, %v", l, err)
	}
	must(t, c.Flush())
}

func endpointErr(c *pathmanager.Client, id uint8) error {
	_, err := c.Endpoint(id)
	return err
}

func ifIndex(t testing.TB, h *mptcptest.Host, name string) int {
	t.Helper()
	var index int
	h.Do(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		must(t, err)
		defer unix.Close(fd)
		req, err := unix.NewIfreq(name)
		must(t, err)
		must(t, unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req))
		index = int(req.Uint32())
	})
	return index
}

// TestLimits sets every limit that there is, and reads it back.
func TestLimits(t *testing.T) {
	c := dial(t, mptcptest.New(t).Host("h"))
	for _, want := range []pathmanager.Limits{
		{Subflows: 2}, // Linux begins so
		{Subflows: 8, AddAddrAccepted: 7}, {}, {AddAddrAccepted: 8},
	} {
		if want.Subflows != 2 {
			must(t, c.SetLimits(want))
		}
		if got, err := c.Limits(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("limits %v, %v, want %v", got, err, want)
		}
	}
	refused(t, "subflows", c.SetLimits(pathmanager.Limits{Subflows: 1000}), syscall.EINVAL, "subflows 1000", "maximum")
	refused(t, "addresses", c.SetLimits(pathmanager.Limits{AddAddrAccepted: 1000}), syscall.EINVAL,
		"add_addr_accepted 1000", "maximum")
}

// TestDialIn reaches the path manager of a namespace that the thread is not in.
func TestDialIn(t *testing.T) {
	checkLeaks(t)
	lab := mptcptest.New(t)
	here, there := lab.Host("here"), lab.Host("there")
	a := netip.MustParseAddr("10.9.0.1")
	there.AddEndpoint(a, mptcptest.Subflow)
	var ns *os.File
	there.Do(func() {
		var err error
		ns, err = os.Open("/proc/thread-self/ns/net")
		must(t, err)
	})
	here.Do(func() {
		c, err := pathmanager.DialIn(ns)
		must(t, err)
		defer c.Close()
		ns.Close()
		if got, err := c.Endpoints(); err != nil || len(got) != 1 || got[0].Addr != a {
			t.Errorf("endpoints %v, %v", got, err)
		}
		events, err := c.Events(t.Context())
		must(t, err)
		there.Do(func() { listenMPTCP(t, there, "127.0.0.1:4321") })
		for e, err := range events {
			if err != nil || e.Type != pathmanager.EventListenerCreated || e.Local.String() != "127.0.0.1:4321" {
				t.Errorf("event %v, %v", e, err)
			}
			break
		}
		here, err := pathmanager.Dial()
		must(t, err)
		defer here.Close()
		if got, err := here.Endpoints(); err != nil || len(got) != 0 {
			t.Errorf("the thread is in another namespace now: %v, %v", got, err)
		}
	})

	_, err := pathmanager.DialIn(nil)
	refused(t, "nil", err, os.ErrInvalid, "namespace")
	file, err := os.Open(os.Args[0])
	must(t, err)
	_, err = pathmanager.DialIn(file)
	refused(t, "a file", err, syscall.EINVAL, file.Name(), "another kind of file")
	other, err := os.Open("/proc/self/ns/uts")
	must(t, err)
	_, err = pathmanager.DialIn(other)
	refused(t, "another namespace", err, syscall.EINVAL, "/proc/self/ns/uts", "another kind of file")
	file.Close()
	other.Close()
	_, err = pathmanager.DialIn(file)
	refused(t, "a closed file", err, os.ErrClosed)
}

// TestClosed has the methods of a closed client fail.
func TestClosed(t *testing.T) {
	checkLeaks(t)
	var c *pathmanager.Client
	mptcptest.New(t).Host("h").Do(func() {
		var err error
		c, err = pathmanager.Dial()
		must(t, err)
	})
	must(t, c.Close())
	if _, err := c.Endpoints(); err == nil {
		t.Error("Endpoints works after Close")
	}
	if err := c.Flush(); err == nil {
		t.Error("Flush works after Close")
	}
	_, err := c.Events(t.Context())
	refused(t, "Events", err, os.ErrClosed)
}

// TestImplicit has the kernel make an endpoint of its own, and replaces it.
func TestImplicit(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	phone.SetLimits(2, 2)
	c, e := dial(t, phone), hear(t, phone)
	l := listenMPTCP(t, server, ":4321")
	p := connect(t, phone, l, netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	server.AddEndpoint(lte.Addr(server), mptcptest.Signal)
	second := e.wait(pathmanager.EventSubflowEstablished, p.clientToken)
	all, err := c.Endpoints()
	if err != nil || len(all) != 1 || all[0].Flags != pathmanager.Implicit || all[0].Addr != second.Local.Addr() {
		t.Fatalf("endpoints %v, %v of subflow %v", all, err, second)
	}
	must(t, c.AddEndpoint(pathmanager.Endpoint{Addr: all[0].Addr, Flags: pathmanager.Subflow}))
	if all, err := c.Endpoints(); err != nil || len(all) != 1 || all[0].Flags != pathmanager.Subflow {
		t.Errorf("endpoints %v, %v", all, err)
	}
}

// TestDeleteInitialAddress takes a connection the address that it began with.
func TestDeleteInitialAddress(t *testing.T) {
	lab := mptcptest.New(t)
	phone, server := lab.Host("phone"), lab.Host("server")
	wifi := lab.Link(phone, server, mptcptest.LinkConfig{Name: "wifi"})
	lte := lab.Link(phone, server, mptcptest.LinkConfig{Name: "lte"})
	c, atPhone, atServer := dial(t, phone), hear(t, phone), hear(t, server)
	l := listenMPTCP(t, server, ":4321")
	p := connect(t, phone, l, netip.AddrPortFrom(wifi.Addr(server), 4321).String())
	must(t, c.AddEndpoint(pathmanager.Endpoint{Addr: lte.Addr(phone), Flags: pathmanager.Subflow}))
	second := atPhone.wait(pathmanager.EventSubflowEstablished, p.clientToken)
	atServer.wait(pathmanager.EventSubflowEstablished, p.serverToken)
	must(t, c.DeleteEndpoint(pathmanager.Endpoint{Addr: wifi.Addr(phone)}))
	if e := atServer.wait(pathmanager.EventRemoved, p.serverToken); e.RemoteID != 0 {
		t.Errorf("removed %+v", e)
	}
	wantSubflows(t, p, second.Local)
}
