package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/multipath-go/mptcp/cmd/mptcp/internal/diag"
)

// owners knows which process has a socket, as far as this user may know.
type owners struct{ known map[uint32]string }

// of returns the name and number of a process that has the socket open. All
// processes are looked through when there is a socket that was not there before.
func (o *owners) of(inode uint32) string {
	if name, ok := o.known[inode]; ok || inode == 0 {
		return name
	}
	if o.known == nil {
		o.known = make(map[uint32]string)
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // of other users: nothing
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue
		}
		n, ok := socket(target)
		if !ok {
			continue
		}
		if _, ok := o.known[n]; !ok {
			pid := strings.Split(link, "/")[2]
			name, _ := os.ReadFile("/proc/" + pid + "/comm") // it may have ended
			o.known[n] = fmt.Sprintf("%s[%s]", strings.TrimSpace(string(name)), pid)
		}
	}
	if _, ok := o.known[inode]; !ok {
		o.known[inode] = "" // not to be looked for again
	}
	return o.known[inode]
}

// socket returns the inode of a socket that a link in /proc/PID/fd leads to.
func socket(target string) (inode uint32, ok bool) {
	number, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	number, ok = strings.CutSuffix(number, "]")
	n, err := strconv.ParseUint(number, 10, 32)
	return uint32(n), ok && err == nil
}

// forget drops what no connection has any more: inodes are used again.
func (o *owners) forget(list []diag.Connection) {
	kept := make(map[uint32]string)
	for _, c := range list {
		if name, ok := o.known[c.Inode]; ok {
			kept[c.Inode] = name
		}
	}
	o.known = kept
}
