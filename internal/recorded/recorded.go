// Package recorded holds what kernels have said to questions of this module, in
// their own words: for tests, and as seeds of fuzz targets.
//
//	go run ./internal/kernels -record
//
// writes it anew, from the kernels that the command runs and the one that it
// runs on. The words are those of amd64: little-endian, 64 bits.
package recorded

import (
	"embed"
	"encoding/binary"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Dir is where the files are, relative to the module: one directory for each
// kernel, named by its series.
const Dir = "internal/recorded"

// Names of what is recorded. Not every kernel has an answer to everything.
// Where it is about connections, these are over loopback: the first client has
// sent Sent and received Received bytes, has two subflows, and asks; the second
// has fallen back, since its server does not know Multipath TCP.
const (
	Info       = "mptcp_info"       // MPTCP_INFO
	Addrs      = "subflow_addrs"    // MPTCP_SUBFLOW_ADDRS, with its head
	TCPInfos   = "subflow_tcp_info" // MPTCP_TCPINFO, with its head
	FullAddrs  = "full_subflows"    // MPTCP_FULL_INFO, the rows of struct mptcp_subflow_info
	FullTCP    = "full_tcp_info"    // MPTCP_FULL_INFO, the rows of struct tcp_info
	DiagTCP    = "diag_tcp"         // inet_diag of TCP sockets, netlink messages
	DiagMPTCP  = "diag_mptcp"       // inet_diag of Multipath TCP sockets, netlink messages
	Links      = "links"            // RTM_GETLINK, netlink messages
	Addresses  = "addresses"        // RTM_GETADDR, netlink messages
	Rules      = "rules"            // RTM_GETRULE, netlink messages
	Routes     = "routes"           // RTM_GETROUTE, netlink messages
	NetStat    = "netstat"          // /proc/net/netstat
	NetLink    = "netlink"          // /proc/net/netlink
	SocketLink = "socket"           // a link in /proc/self/fd
)

// What the first client has sent and received, in bytes.
const (
	Sent     = 1000
	Received = 2000
)

//go:embed */*.bin
var files embed.FS

// Each iterates over what the kernels have said to one question, oldest kernel
// first.
func Each(name string) iter.Seq2[string, []byte] {
	return func(yield func(kernel string, b []byte) bool) {
		list, err := fs.Glob(files, "*/"+name+".bin")
		if err != nil {
			panic(err) // a name that is not one of the above
		}
		slices.SortFunc(list, func(a, b string) int { return slices.Compare(version(a), version(b)) })
		for _, file := range list {
			b, err := files.ReadFile(file)
			if err != nil {
				panic(err) // it was listed, and is in memory
			}
			if !yield(path.Dir(file), b) {
				return
			}
		}
	}
}

// version makes numbers of the directory of a file.
func version(file string) (numbers []int) {
	for part := range strings.SplitSeq(path.Dir(file), ".") {
		n, _ := strconv.Atoi(part) // not a number: before all others
		numbers = append(numbers, n)
	}
	return numbers
}

// Messages iterates over netlink messages, with their headers, as far as they
// are whole.
func Messages(b []byte) iter.Seq[[]byte] {
	const header = 16 // struct nlmsghdr, which begins with the length
	return func(yield func([]byte) bool) {
		for len(b) >= header {
			n := int(binary.LittleEndian.Uint32(b))
			if n < header || n > len(b) || !yield(b[:n:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}
