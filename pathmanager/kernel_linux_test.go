package pathmanager_test

import (
	"encoding/binary"
	"testing"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

// Numbers of linux/genetlink.h and linux/netlink.h.
const (
	genlIDCtrl        = 0x10
	ctrlCmdGetFamily  = 3
	ctrlCmdGetPolicy  = 10
	ctrlAttrFamilyID  = 1
	ctrlAttrName      = 2
	ctrlAttrOps       = 6
	ctrlAttrPolicy    = 8
	ctrlAttrOpID      = 1
	ctrlAttrOpFlags   = 2
	genlUnsAdminPerm  = 0x10
	lastCommand       = 11 // MPTCP_PM_CMD_SUBFLOW_DESTROY
	lastAttribute     = 6  // MPTCP_PM_ATTR_ADDR_REMOTE
	lastAddrAttribute = 7  // MPTCP_PM_ADDR_ATTR_IF_IDX
)

// privileged are the commands that the tests find to need CAP_NET_ADMIN:
// all but GET_ADDR and GET_LIMITS.
var privileged = map[uint32]bool{1: true, 2: true, 4: true, 5: true, 7: true, 8: true, 9: true, 10: true, 11: true}

// TestSpecification asks the kernel which commands and attributes it has. If it
// has more than Linux 6.18, this package should learn them.
func TestSpecification(t *testing.T) {
	c, err := genetlink.Dial(nil)
	must(t, err)
	defer c.Close()
	f, err := c.GetFamily("mptcp_pm")
	must(t, err)
	if f.Version != 1 || len(f.Groups) != 2 {
		t.Errorf("family %+v", f)
	}

	commands := make(map[uint32]uint32) // flags
	for _, m := range control(t, c, ctrlCmdGetFamily, 0, func(ae *netlink.AttributeEncoder) {
		ae.String(ctrlAttrName, "mptcp_pm")
	}) {
		each(t, m, ctrlAttrOps, func(ops []byte) {
			each(t, ops, 0, func(op []byte) {
				var id, flags uint32
				each(t, op, ctrlAttrOpID, func(b []byte) { id = binary.NativeEndian.Uint32(b) })
				each(t, op, ctrlAttrOpFlags, func(b []byte) { flags = binary.NativeEndian.Uint32(b) })
				commands[id] = flags
			})
		})
	}
	for id := uint32(1); id <= lastCommand; id++ {
		flags, ok := commands[id]
		if !ok {
			t.Errorf("no command %d", id)
		}
		if got := flags&genlUnsAdminPerm != 0; got != privileged[id] {
			t.Errorf("command %d needs a privilege: %v, want %v", id, got, privileged[id])
		}
		delete(commands, id)
	}
	if len(commands) > 0 {
		t.Errorf("commands that this package does not know: %v", commands)
	}

	// Each policy says which attributes a request may have: those of a command
	// and, nested in one, those of an address.
	last := make(map[int]int) // the highest attribute of each policy
	for _, m := range control(t, c, ctrlCmdGetPolicy, netlink.Dump, func(ae *netlink.AttributeEncoder) {
		ae.Uint16(ctrlAttrFamilyID, f.ID)
	}) {
		ad, err := netlink.NewAttributeDecoder(m)
		must(t, err)
		for ad.Next() {
			if ad.Type() != ctrlAttrPolicy {
				continue
			}
			ad.Nested(func(policies *netlink.AttributeDecoder) error {
				for policies.Next() {
					policies.Nested(func(attributes *netlink.AttributeDecoder) error {
						for attributes.Next() {
							last[int(policies.Type())] = max(last[int(policies.Type())], int(attributes.Type()))
						}
						return nil
					})
				}
				return nil
			})
		}
		must(t, ad.Err())
	}
	if len(last) == 0 {
		t.Fatal("no policies")
	}
	var addresses, commandsSeen bool
	for policy, n := range last {
		addresses = addresses || n == lastAddrAttribute
		commandsSeen = commandsSeen || n == lastAttribute
		if n > lastAddrAttribute {
			t.Errorf("policy %d has an attribute %d, which this package does not know", policy, n)
		}
	}
	if !addresses || !commandsSeen {
		t.Errorf("the highest attributes are %v, want %d for commands and %d for addresses", last, lastAttribute, lastAddrAttribute)
	}
}

// control asks the family of families.
func control(t *testing.T, c *genetlink.Conn, cmd uint8, flags netlink.HeaderFlags,
	attrs func(*netlink.AttributeEncoder),
) (answers [][]byte) {
	t.Helper()
	ae := netlink.NewAttributeEncoder()
	attrs(ae)
	b, err := ae.Encode()
	must(t, err)
	msgs, err := c.Execute(genetlink.Message{Header: genetlink.Header{Command: cmd, Version: 1}, Data: b},
		genlIDCtrl, netlink.Request|flags)
	must(t, err)
	for _, m := range msgs {
		answers = append(answers, m.Data)
	}
	return answers
}

// each calls f for the attributes of a number in b, or for all if it is zero.
func each(t *testing.T, b []byte, number uint16, f func([]byte)) {
	t.Helper()
	ad, err := netlink.NewAttributeDecoder(b)
	must(t, err)
	for ad.Next() {
		if number == 0 || ad.Type() == number {
			f(ad.Bytes())
		}
	}
	must(t, ad.Err())
}
