// Package watch looks at the Multipath TCP connections of all processes.
package watch

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/multipath-go/mptcp"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/diag"
	"github.com/multipath-go/mptcp/cmd/mptcp/internal/live"
	"github.com/multipath-go/mptcp/internal/mptcpinfo"
)

// A Connection is one of some process.
type Connection struct {
	Local    netip.AddrPort `json:"local"`
	Remote   netip.AddrPort `json:"remote"`
	State    mptcp.State    `json:"state"` // multipath or fallback
	Token    uint32         `json:"token"`
	UID      uint32         `json:"uid"`
	Process  string         `json:"process,omitempty"` // name and number, if this user may know
	Sent     uint64         `json:"sent"`
	Received uint64         `json:"received"`
	Subflows []Subflow      `json:"subflows"`
}

// A Subflow is one of a connection.
type Subflow struct {
	Local            netip.AddrPort `json:"local"`
	Remote           netip.AddrPort `json:"remote"`
	State            mptcp.TCPState `json:"state"`
	Backup           bool           `json:"backup,omitempty"`
	RTT              time.Duration  `json:"rtt_ns"`
	CongestionWindow uint32         `json:"cwnd"`
	Retransmits      uint32         `json:"retransmits"`
	Sent             uint64         `json:"sent"` // and acknowledged
	Received         uint64         `json:"received"`
}

// A Snapshot is what there is at one moment.
type Snapshot struct {
	At          time.Time        `json:"at"`
	Connections []Connection     `json:"connections"`
	Listeners   []netip.AddrPort `json:"listeners"`
}

// A Watcher takes snapshots. Its zero value is ready to use.
type Watcher struct{ owners owners }

// Look takes a snapshot, which costs some milliseconds.
func (w *Watcher) Look() (Snapshot, error) {
	s := Snapshot{At: time.Now(), Connections: []Connection{}, Listeners: []netip.AddrPort{}}
	subflows, err := diag.Subflows()
	if err != nil {
		return s, err
	}
	connections, err := diag.Connections()
	if err != nil {
		return s, err
	}
	byInode := make(map[uint32][]Subflow)
	for _, f := range subflows {
		byInode[f.Inode] = append(byInode[f.Inode], Subflow{
			f.Local, f.Remote, f.State, f.Backup, f.RTT, f.CongestionWindow, f.Retransmits, f.BytesAcked, f.BytesReceived,
		})
	}
	for _, c := range connections {
		if c.Listening() {
			s.Listeners = append(s.Listeners, c.Local)
			continue
		}
		one := Connection{
			Local: c.Local, Remote: c.Remote, State: mptcp.Multipath, Token: c.Info.Token, UID: c.UID,
			Process: w.owners.of(c.Inode), Subflows: []Subflow{},
		}
		if c.Inode != 0 { // else it has no owner any more, as has no subflow of those that are about to end
			one.Subflows = append(one.Subflows, byInode[c.Inode]...)
		}
		if c.Fallback {
			one.State = mptcp.Fallback
		}
		if c.Info.Has(mptcpinfo.SizeBytes) && !c.Fallback {
			one.Sent, one.Received = c.Info.BytesSent, c.Info.BytesReceived
		} else {
			for _, f := range one.Subflows {
				one.Sent += f.Sent
				one.Received += f.Received
			}
		}
		slices.SortFunc(one.Subflows, func(a, b Subflow) int { return a.Local.Compare(b.Local) })
		s.Connections = append(s.Connections, one)
	}
	slices.SortFunc(s.Connections, func(a, b Connection) int {
		return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	slices.SortFunc(s.Listeners, netip.AddrPort.Compare)
	w.owners.forget(connections)
	return s, nil
}

// Write writes the snapshot for a person.
func (s Snapshot) Write(out io.Writer) {
	for _, c := range s.Connections {
		fmt.Fprintf(out, "%s\n", c)
		for _, f := range c.Subflows {
			fmt.Fprintf(out, "    %s\n", f)
		}
	}
	switch {
	case len(s.Listeners) > 0:
		var list []string
		for _, l := range s.Listeners {
			list = append(list, l.String())
		}
		fmt.Fprintf(out, "Listening: %s\n", strings.Join(list, ", "))
	case len(s.Connections) == 0:
		fmt.Fprintln(out, "No connection and no listener uses Multipath TCP.")
	}
}

// String describes the connection in one line.
func (c Connection) String() string {
	n := "1 subflow"
	if len(c.Subflows) != 1 {
		n = fmt.Sprintf("%d subflows", len(c.Subflows))
	}
	if c.State == mptcp.Fallback {
		n = "TCP"
	}
	return strings.TrimRight(fmt.Sprintf("%v > %v  %v, %s  sent %s  received %s  %s", c.Local, c.Remote, c.State, n,
		live.Bytes(c.Sent), live.Bytes(c.Received), c.Process), " ")
}

// String describes the subflow in one line.
func (f Subflow) String() string {
	state := ""
	if f.Backup {
		state = "  backup"
	}
	if f.State != mptcp.TCPEstablished {
		state += "  " + f.State.String()
	}
	return fmt.Sprintf("%v > %v%s  RTT %.1f ms  sent %s  received %s  cwnd %d  again %d", f.Local, f.Remote, state,
		float64(f.RTT)/1e6, live.Bytes(f.Sent), live.Bytes(f.Received), f.CongestionWindow, f.Retransmits)
}

// Changes says in lines what is different from a snapshot before.
func (s Snapshot) Changes(before Snapshot) []string {
	type key struct{ local, remote netip.AddrPort }
	index := func(s Snapshot) map[key]Connection {
		m := make(map[key]Connection)
		for _, c := range s.Connections {
			m[key{c.Local, c.Remote}] = c
		}
		return m
	}
	then, now := index(before), index(s)
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, c := range s.Connections {
		old, known := then[key{c.Local, c.Remote}]
		if !known {
			add("+ %s", c)
		} else if old.State != c.State {
			add("  %s", c)
		}
		if len(c.Subflows) > 1 || len(old.Subflows) > 1 {
			add2 := func(sign string, a, b []Subflow) {
				for _, f := range a {
					if !slices.ContainsFunc(b, func(g Subflow) bool { return g.Local == f.Local && g.Remote == f.Remote }) {
						add("%s   %s", sign, f)
					}
				}
			}
			add2("+", c.Subflows, old.Subflows)
			add2("-", old.Subflows, c.Subflows)
		}
	}
	for _, c := range before.Connections {
		if _, still := now[key{c.Local, c.Remote}]; !still {
			add("- %s", c)
		}
	}
	return lines
}
