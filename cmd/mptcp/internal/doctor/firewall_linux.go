package doctor

import (
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// readFirewall finds the nftables rules against the option. It needs
// CAP_NET_ADMIN.
func readFirewall() ([]FirewallRule, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil // no netfilter in this kernel: no rules
	}
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	defer c.Close()
	msgs, err := c.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE,
			Flags: netlink.Request | netlink.Dump,
		},
		Data: []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("reading nftables rules %w", errUnread)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
		return nil, nil // no nftables in this kernel
	case err != nil:
		return nil, fmt.Errorf("nftables: %w", err)
	}
	var rules []FirewallRule
	for _, m := range msgs {
		if r, ok := parseFirewallRule(m.Data); ok {
			rules = append(rules, r)
		}
	}
	return rules, nil
}
