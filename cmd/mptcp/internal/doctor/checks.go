package doctor

// Checks lists all checks, in the order in which they are made: what explains
// more comes first.
func Checks() []Check {
	return []Check{
		{"mptcp", "a Multipath TCP socket, net.mptcp.enabled", checkEnabled},
		{"path-manager", "net.mptcp.path_manager, subscribers to its events", checkPathManager},
		{"limits", "path manager limits and endpoints", checkLimits},
		{"endpoints", "path manager endpoints, addresses and default routes", checkEndpoints},
		{"routes", "the route of packets from each endpoint", checkRoutes},
		{"rp-filter", "net.ipv4.conf.*.rp_filter and the routes back", checkReversePath},
		{"announced", "path manager limits, counter MPTcpExtAddAddr", checkAnnounced},
		{"blackhole", "a connection to this host itself", checkBlackhole},
		{"firewall", "nftables rules that look at the option", checkFirewall},
		{"listeners", "listening sockets and announced addresses", checkListeners},
		{"join-initial", "net.mptcp.allow_join_initial_addr_port", checkJoinInitial},
		{"congestion", "net.ipv4.tcp_congestion_control", checkCongestion},
		{"counters", "/proc/net/netstat", checkCounters},
		{"target", "connections to the target", checkTarget},
		{"target-paths", "the subflows of a connection to the target", checkTargetPaths},
	}
}
