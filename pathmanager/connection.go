package pathmanager

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// Connection is one connection whose path manager is a program: the sysctl
// net.mptcp.path_manager was "userspace" (before Linux 6.15: net.mptcp.pm_type
// was 1) when it began. Such a connection uses no endpoints. What the kernel
// does on its own for others is up to the program then, which learns of
// connections and of what their peers announce from [Client.Events].
//
// The commands need Linux 5.19 and CAP_NET_ADMIN. If there is no such
// connection, the error matches [os.ErrNotExist]. An address must be of the
// family of the connection's sockets, as in an [Event].
type Connection struct {
	c     *Client
	token uint32
}

// Connection returns the connection of a token: see mptcp.Status and [Event].
// It asks nothing and costs nothing.
func (c *Client) Connection(token uint32) Connection { return Connection{c, token} }

// String names the connection.
func (c Connection) String() string { return fmt.Sprintf("connection %08x", c.token) }

// Announce announces an address to the peer, which may then connect to it:
// ADD_ADDR of RFC 8684, section 3.4.1. It must have an ID, which no other
// address of the connection has; a Port is announced too, and nobody listens
// on it unless the program does: see Endpoint.Port. Other fields do not matter.
func (c Connection) Announce(e Endpoint) error {
	what := fmt.Sprintf("%v: announcing %v", c, e)
	switch {
	case e.ID == 0:
		return invalid(what, "the address has no ID")
	case !e.Addr.IsValid():
		return invalid(what, "no address")
	}
	e.Flags |= Signal
	return c.command(what, cmdAnnounce, &e, nil, nil)
}

// Remove takes back what was announced, and says to the peer that the address
// is gone: REMOVE_ADDR of RFC 8684, section 3.4.2. Subflows from it go on until
// the peer closes them. Linux as a peer, while it is busy with one removal,
// drops the next (it counts RmAddrDrop). An identifier of zero is the address
// that the connection began with.
func (c Connection) Remove(id uint8) error {
	var b encoder
	b.uint8(attrLocID, id)
	return c.command(fmt.Sprintf("%v: removing address id %d", c, id), cmdRemove, nil, nil, b)
}

// CreateSubflow begins a subflow. Of local, Addr, ID, IfIndex, the flag
// [Backup] and, if it is to be bound, Port count; the ID is that of the
// address, announced or not, and must be that of no other. Of remote, Addr and
// Port count, and ID if the peer has announced it with one. That it is
// established, or why it is not, is told by an event.
func (c Connection) CreateSubflow(local, remote Endpoint) error {
	what := fmt.Sprintf("%v: creating subflow from %v to %v", c, local, remote)
	if !local.Addr.IsValid() || !remote.Addr.IsValid() {
		return invalid(what, "an address is missing")
	}
	local.Flags &= Backup
	remote = Endpoint{ID: remote.ID, Addr: remote.Addr, Port: remote.Port}
	return c.command(what, cmdSubflowCreate, &local, &remote, nil)
}

// DestroySubflow ends the subflow between two addresses and ports. If there is
// none, the error matches [os.ErrNotExist].
func (c Connection) DestroySubflow(local, remote netip.AddrPort) error {
	what := fmt.Sprintf("%v: destroying subflow from %v to %v", c, local, remote)
	return c.command(what, cmdSubflowDestroy, end(local), end(remote), nil)
}

// SetBackup makes a subflow a backup, or an ordinary one, in both directions:
// the peer is told (MP_PRIO of RFC 8684, section 3.3.8). A port of zero stands
// for any. If there is no such subflow, the error matches [os.ErrNotExist].
func (c Connection) SetBackup(local, remote netip.AddrPort, backup bool) error {
	what := fmt.Sprintf("%v: making subflow from %v to %v a backup", c, local, remote)
	e := end(local)
	if backup {
		e.Flags = Backup
	} else {
		what += " no more"
	}
	return c.command(what, cmdSetFlags, e, end(remote), nil)
}

// Endpoints reads the local addresses that the connection knows, in the order
// in which it came to know them: those that were announced or had a subflow
// created. It needs Linux 6.10, but no privilege.
func (c Connection) Endpoints() ([]Endpoint, error) {
	if err := c.tokenReads(); err != nil {
		return nil, err
	}
	return c.c.endpoints(c.String()+": reading its addresses", c.attribute())
}

// Endpoint reads one of [Connection.Endpoints]. If there is none of that
// identifier, the error matches [os.ErrNotExist].
func (c Connection) Endpoint(id uint8) (Endpoint, error) {
	if err := c.tokenReads(); err != nil {
		return Endpoint{}, err
	}
	return c.c.endpoint(fmt.Sprintf("%v: reading address id %d", c, id), id, c.attribute())
}

// tokenReads finds out whether the kernel looks at a token in a request for
// endpoints. One before Linux 6.10 passes over it and answers with those of the
// network namespace. There is no token of zero.
func (c Connection) tokenReads() error {
	if c.c == nil {
		return failed("reading the addresses of a connection", os.ErrInvalid)
	}
	_, err := c.c.dump(cmdGetAddr, Connection{}.attribute())
	if _, refused := errors.AsType[*refusal](err); refused {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: Linux can from 6.10 on", errors.ErrUnsupported)
	}
	return failed("reading the addresses of a connection", err)
}

// attribute is the token.
func (c Connection) attribute() encoder {
	var b encoder
	b.uint32(attrToken, c.token)
	return b
}

func (c Connection) command(what string, cmd uint8, local, remote *Endpoint, more encoder) error {
	if c.c == nil {
		return failed(what, os.ErrInvalid)
	}
	b := append(c.attribute(), more...)
	if local != nil {
		if why := local.unfit(); why != "" {
			return invalid(what, why)
		}
		b.nested(attrAddr, local.encode())
	}
	if remote != nil {
		b.nested(attrAddrRemote, remote.encode())
	}
	if err := c.c.change(cmd, b); err != nil {
		return failed(what, err)
	}
	return nil
}

// end is an address and port without anything else.
func end(a netip.AddrPort) *Endpoint { return &Endpoint{Addr: a.Addr(), Port: a.Port()} }
