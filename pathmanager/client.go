package pathmanager

import (
	"fmt"
	"os"
)

// Numbers of linux/mptcp_pm.h.
const (
	familyName    = "mptcp_pm"
	familyVersion = 1
	eventsGroup   = "mptcp_pm_events"

	cmdAddAddr        = 1
	cmdDelAddr        = 2
	cmdGetAddr        = 3
	cmdFlushAddrs     = 4
	cmdSetLimits      = 5
	cmdGetLimits      = 6
	cmdSetFlags       = 7
	cmdAnnounce       = 8
	cmdRemove         = 9
	cmdSubflowCreate  = 10
	cmdSubflowDestroy = 11

	attrAddr        = 1
	attrRcvAddAddrs = 2
	attrSubflows    = 3
	attrToken       = 4
	attrLocID       = 5
	attrAddrRemote  = 6
)

// Client is a connection to the path manager of one network namespace. Its
// methods may be called by several goroutines at once. A call costs some 30
// microseconds.
type Client struct{ conn }

// Dial connects to the path manager of the network namespace that the calling
// thread is in. It needs no privilege and costs about 100 microseconds.
//
// The error matches [errors.ErrUnsupported] if the kernel has no Multipath TCP.
// It has a path manager even where Multipath TCP is switched off by the sysctl
// net.mptcp.enabled.
func Dial() (*Client, error) { return dial(nil) }

// DialIn is [Dial] for another network namespace, such as that of the file
// /run/netns/NAME or /proc/PID/ns/net, which may be closed afterwards. Entering
// a namespace needs CAP_SYS_ADMIN, there and here.
func DialIn(ns *os.File) (*Client, error) {
	if ns == nil {
		return nil, failed("entering a network namespace", os.ErrInvalid)
	}
	return dial(ns)
}

// Close closes the connection. Iterators of [Client.Events] go on.
func (c *Client) Close() error { return c.close() }

// Endpoints reads all endpoints, in the order of their identifiers.
func (c *Client) Endpoints() ([]Endpoint, error) {
	return c.endpoints("reading the endpoints", nil)
}

func (c *Client) endpoints(what string, of encoder) ([]Endpoint, error) {
	msgs, err := c.dump(cmdGetAddr, of)
	if err != nil {
		return nil, failed(what, err)
	}
	all, err := decodeEndpoints(msgs)
	if err != nil {
		return nil, failed(what, err)
	}
	return all, nil
}

// Endpoint reads one endpoint. If there is none of that identifier, the error
// matches [os.ErrNotExist].
func (c *Client) Endpoint(id uint8) (Endpoint, error) {
	return c.endpoint(fmt.Sprintf("reading endpoint id %d", id), id, nil)
}

func (c *Client) endpoint(what string, id uint8, of encoder) (Endpoint, error) {
	var b encoder
	b.nested(attrAddr, Endpoint{ID: id}.encode())
	msgs, err := c.get(cmdGetAddr, append(b, of...))
	if err != nil {
		return Endpoint{}, failed(what, err)
	}
	all, err := decodeEndpoints(msgs)
	if err == nil && len(all) != 1 {
		err = errAttributes
	}
	if err != nil {
		return Endpoint{}, failed(what, err)
	}
	return all[0], nil
}

// AddEndpoint adds an endpoint, which existing connections use at once. Linux
// keeps 8. If the address or the identifier has one already, the error matches
// [os.ErrExist], unless it is one that the kernel made ([Implicit]): that is
// replaced. A flag that the kernel does not know is no error and has no effect.
func (c *Client) AddEndpoint(e Endpoint) error {
	if !e.Addr.IsValid() {
		return invalid("adding endpoint "+e.String(), "no address")
	}
	return c.setEndpoint("adding endpoint ", cmdAddAddr, e)
}

// DeleteEndpoint deletes the endpoint of an identifier. Connections lose the
// subflows that use it, and the peer is told. If there is none, the error
// matches [os.ErrNotExist].
//
// Only the ID of e counts, unless it is zero: then Addr is an address that
// connections began with, and those connections lose their first subflow.
// Nobody is told if there are none.
func (c *Client) DeleteEndpoint(e Endpoint) error {
	if e.ID == 0 && !e.Addr.IsValid() {
		return invalid("deleting endpoint "+e.String(), "neither an ID nor an address")
	}
	return c.setEndpoint("deleting endpoint ", cmdDelAddr, Endpoint{ID: e.ID, Addr: e.Addr, Unknown: e.Unknown})
}

// SetFlags gives an endpoint, and the subflows that use it, those of e.Flags
// that can be changed: [Backup] and, from Linux 5.18 on, [Fullmesh]. The others
// stay as they are. The peer is told once that a subflow is a backup, and may
// miss it if the subflow was established a moment ago. The endpoint is found by
// its identifier, or by its address and port if that is zero. If there is none,
// the error matches [os.ErrNotExist].
func (c *Client) SetFlags(e Endpoint) error {
	const what = "setting the flags of endpoint "
	switch {
	case e.ID != 0:
		e = Endpoint{ID: e.ID, Flags: e.Flags, Unknown: e.Unknown}
	case e.Addr.IsValid():
		e = Endpoint{Addr: e.Addr, Port: e.Port, Flags: e.Flags, Unknown: e.Unknown}
	default:
		return invalid(what+e.String(), "neither an ID nor an address")
	}
	return c.setEndpoint(what, cmdSetFlags, e)
}

// Flush deletes all endpoints. Older kernels set Limits.AddAddrAccepted to zero
// by the way: who wants others sets them afterwards.
func (c *Client) Flush() error {
	if err := c.change(cmdFlushAddrs, nil); err != nil {
		return failed("deleting all endpoints", err)
	}
	return nil
}

// SetLimits sets the limits, of existing connections as well.
func (c *Client) SetLimits(l Limits) error {
	if err := c.change(cmdSetLimits, l.encode()); err != nil {
		return failed("setting the limits "+l.String(), err)
	}
	return nil
}

// Limits reads the limits.
func (c *Client) Limits() (Limits, error) {
	msgs, err := c.get(cmdGetLimits, nil)
	if err != nil {
		return Limits{}, failed("reading the limits", err)
	}
	l, err := decodeLimits(msgs)
	if err != nil {
		return Limits{}, failed("reading the limits", err)
	}
	return l, nil
}

func (c *Client) setEndpoint(what string, cmd uint8, e Endpoint) error {
	if why := e.unfit(); why != "" {
		return invalid(what+e.String(), why)
	}
	e.Addr = e.Addr.Unmap()
	if err := c.change(cmd, e.message()); err != nil {
		return failed(what+e.String(), err)
	}
	return nil
}
