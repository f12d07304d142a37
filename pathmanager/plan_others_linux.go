package pathmanager

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// managers are the programs that have endpoints of their own.
var managers = map[string]string{
	"NetworkManager": "it makes endpoints of the addresses of its connections, which are left to it: " +
		"nmcli connection modify NAME connection.mptcp-flags disabled gives them up",
	"mptcpd": "it may have endpoints of its own, which are left to it: systemctl stop mptcp.service ends it",
}

// others finds programs that manage paths of the network namespace as well.
func others(ns *os.File) (notes []string) {
	here := ""
	_ = inside(ns, func() (err error) {
		here, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	seen := make(map[string]bool)
	for _, file := range names {
		comm, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		name := strings.TrimSpace(string(comm))
		why, known := managers[name]
		if !known || seen[name] {
			continue
		}
		dir := filepath.Dir(file)
		there, err := os.Readlink(dir + "/ns/net")
		if err == nil && there != here {
			continue
		}
		seen[name] = true // or it cannot be known where
		notes = append(notes, fmt.Sprintf("%s is running (process %s): %s", name, filepath.Base(dir), why))
	}
	return notes
}
