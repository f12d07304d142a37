package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/diag"
	"github.com/multipath-go/mptcp/pathmanager"
	"github.com/multipath-go/mptcp/transport"
)

// read looks at the host, and dials the target if there is one. It fails only
// if there is nothing that a check could look at.
func read(ctx context.Context, target string) (*Host, error) {
	h := &Host{Probe: mptcp.Probe(), Sysctls: readSysctls()}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return nil, err
	}
	h.Kernel = strings.TrimSpace(string(release))
	if h.Interfaces, err = readInterfaces(); err != nil {
		return nil, err
	}
	r, err := dialRoutes()
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.kinds(h.Interfaces); err != nil {
		return nil, err
	}
	if err := r.gateways(h.Interfaces); err != nil {
		return nil, err
	}
	h.readPathManager()
	h.Daemon, h.DaemonErr = subscribed()
	h.Rules, h.FirewallErr = readFirewall()
	if h.Probe == nil {
		h.Loopback, h.LoopbackErr = dialMyself(ctx)
	}
	dst := [2]netip.Addr{somewhere4, somewhere6}
	if target != "" {
		if h.Target, err = findTarget(ctx, target); err != nil {
			return nil, err
		}
		if a := h.Target.Addr.Addr(); a.Is4() {
			dst[0] = a
		} else if a.IsValid() {
			dst[1] = a
		}
	}
	if err := r.ways(h, dst); err != nil {
		return nil, err
	}
	if h.Target != nil && h.Target.TCP.err == nil && h.Probe == nil {
		h.dialTarget(ctx)
	}
	h.readListeners()
	h.Counters, h.CountersErr = mptcp.ReadCounters() // after the dial, which is to count
	return h, nil
}

// Where a path leads out to, if there is no target: two of the root name
// servers, to which nobody has a route of its own. They are not sent anything.
var (
	somewhere4 = netip.MustParseAddr("198.41.0.4")
	somewhere6 = netip.MustParseAddr("2001:503:ba3e::2:30")
)

// readSysctls reads everything below net.mptcp, and what else is looked at.
func readSysctls() map[string]string {
	files, _ := filepath.Glob("/proc/sys/net/mptcp/*") // none: no Multipath TCP
	files = append(files, "/proc/sys/net/ipv4/tcp_congestion_control", "/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	all := make(map[string]string)
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			name := strings.ReplaceAll(strings.TrimPrefix(file, "/proc/sys/"), "/", ".")
			all[name] = strings.TrimSpace(string(b))
		}
	}
	return all
}

func readInterfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []Interface
	for _, ifc := range list {
		if ifc.Flags&net.FlagUp == 0 || ifc.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := ifc.Addrs()
		if err != nil {
			continue // gone in this moment
		}
		i := Interface{
			Index: ifc.Index, Name: ifc.Name, PointToPoint: ifc.Flags&net.FlagPointToPoint != 0,
			ReversePath: max(reversePath("all"), reversePath(ifc.Name)),
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					i.Addrs = append(i.Addrs, ip.Unmap())
				}
			}
		}
		all = append(all, i)
	}
	return all, nil
}

func reversePath(ifc string) int {
	b, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv4/conf", ifc, "rp_filter"))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b))) // not a number: not a filter that is known
	return n
}

func (h *Host) readPathManager() {
	c, err := pathmanager.Dial()
	if err != nil {
		h.PMErr = err
		return
	}
	defer c.Close()
	if h.Limits, h.PMErr = c.Limits(); h.PMErr == nil {
		h.Endpoints, h.PMErr = c.Endpoints()
	}
}

// dialMyself connects to this host by its loopback, which tells whether the
// kernel asks for Multipath TCP at all.
func dialMyself(ctx context.Context) (mptcp.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	lc := transport.ListenConfig{Mode: transport.Require}
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		if l, err = lc.Listen(ctx, "tcp", "[::1]:0"); err != nil {
			return mptcp.Status{}, err
		}
	}
	defer l.Close()
	d := transport.Dialer{Memory: new(transport.Memory)}
	c, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return mptcp.Status{}, fmt.Errorf("a connection to this host itself: %w", err)
	}
	defer c.Close()
	return mptcp.Inspect(c)
}

func (h *Host) readListeners() {
	all, err := diag.Connections()
	if err != nil {
		h.ListenErr = err
		return
	}
	for _, c := range all {
		if c.Listening() {
			h.Listeners = append(h.Listeners, c.Local)
		}
	}
}

// subscribed says whether some process of this network namespace gets the
// events of the path manager.
func subscribed() (bool, error) {
	group, err := eventsGroup()
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile("/proc/thread-self/net/netlink")
	if err != nil {
		return false, err
	}
	return listens(string(b), group)
}

// listens finds out whether a socket of generic netlink is in a multicast
// group, by /proc/net/netlink.
func listens(text string, group uint32) (bool, error) {
	const generic, groups = 16, 32 // NETLINK_GENERIC; how many the file shows
	if group == 0 || group > groups {
		return false, fmt.Errorf("whether a program manages the paths: group %d is not shown in /proc/net/netlink", group)
	}
	for line := range strings.Lines(text) {
		// sk Eth Pid Groups …
		f := strings.Fields(line)
		if len(f) < 4 || f[1] != strconv.Itoa(generic) {
			continue
		}
		if mask, err := strconv.ParseUint(f[3], 16, 32); err == nil && mask&(1<<(group-1)) != 0 {
			return true, nil
		}
	}
	return false, nil
}

var errNoGroup = errors.New("the path manager has no group of events")
