package doctor

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

func (a setSysctl) apply() error {
	// A slash in a name is a dot in the file, as sysctl(8) has it.
	swap := strings.NewReplacer(".", "/", "/", ".")
	return os.WriteFile("/proc/sys/"+swap.Replace(a.name), []byte(a.value), 0)
}

func (a addRule) apply() error {
	r, err := dialRoutes()
	if err != nil {
		return err
	}
	defer r.close()
	// struct fib_rule_hdr: like rtmsg, with the action in the place of the type.
	h := []byte{family(a.from), 0, uint8(a.from.BitLen()), 0, unix.RT_TABLE_UNSPEC, 0, 0, unix.FR_ACT_TO_TBL, 0, 0, 0, 0}
	return r.change(unix.RTM_NEWRULE, h, func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.FRA_SRC, a.from.AsSlice())
		ae.Uint32(unix.FRA_TABLE, a.table)
	})
}

func (a addRoute) apply() error {
	r, err := dialRoutes()
	if err != nil {
		return err
	}
	defer r.close()
	table := a.table
	if table == 0 {
		table = tableMain
	}
	scope, bits := uint8(unix.RT_SCOPE_UNIVERSE), uint8(0)
	if a.gateway.IsUnspecified() {
		scope = unix.RT_SCOPE_LINK
	}
	if a.dst.IsValid() {
		bits = uint8(a.dst.Bits())
	}
	return r.change(unix.RTM_NEWROUTE, rtmsg(family(a.gateway), bits, 0, scope, unix.RTN_UNICAST, 0), func(ae *netlink.AttributeEncoder) {
		addr := func(typ uint16, x netip.Addr) {
			if x.IsValid() && !x.IsUnspecified() {
				ae.Bytes(typ, x.AsSlice())
			}
		}
		if bits > 0 {
			addr(unix.RTA_DST, a.dst.Masked().Addr())
		}
		addr(unix.RTA_GATEWAY, a.gateway)
		addr(unix.RTA_PREFSRC, a.src)
		ae.Uint32(unix.RTA_OIF, uint32(a.index))
		ae.Uint32(unix.RTA_TABLE, table)
	})
}

func (a deleteFirewallRule) apply() error {
	out, err := exec.Command("nft", a.args()...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}
