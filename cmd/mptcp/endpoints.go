package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/pathmanager"
)

func newEndpoints() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "endpoints",
		Aliases: []string{"endpoint"},
		Short:   "Show and change the endpoints of the path manager, as ip mptcp endpoint does",
		Long: `Show and change the endpoints of the path manager, as "ip mptcp endpoint" does:
the addresses from which connections get further subflows (subflow), and those
that peers are told of (signal). The words are those of ip-mptcp(8).

Showing needs no root, changing does. Changes are gone after the next boot.`,
		Example: `  mptcp endpoints
  mptcp endpoints add 10.0.2.7 dev wwan0 subflow backup
  mptcp endpoints change id 1 nobackup
  mptcp endpoints delete id 1`,
		Args: cobra.NoArgs,
	}
	show := func(cmd *cobra.Command, args []string) error {
		w, err := parseWords(args, "id")
		if err != nil {
			return err
		}
		return manage(cmd, func(c *pathmanager.Client) error {
			var list []pathmanager.Endpoint
			var err error
			if id := w.id; id != 0 {
				list = make([]pathmanager.Endpoint, 1)
				list[0], err = c.Endpoint(id)
			} else {
				list, err = c.Endpoints()
			}
			if err != nil {
				return err
			}
			return printEndpoints(cmd.OutOrStdout(), list, asJSON)
		})
	}
	cmd.RunE = show
	showCmd := &cobra.Command{
		Use: "show [id ID]", Aliases: []string{"list"}, Short: "Show all endpoints, or one",
		Args: cobra.ArbitraryArgs, RunE: show, ValidArgsFunction: complete("id"),
	}
	add := &cobra.Command{
		Use:   "add ADDRESS [port PORT] [dev INTERFACE] [id ID] [FLAG]...",
		Short: "Add an endpoint",
		Long: `Add an endpoint. The flags are signal, subflow, backup, fullmesh and laminar;
without any the endpoint is for nothing until it is changed.`,
		Example:           "  mptcp endpoints add 10.0.2.7 dev wwan0 subflow backup",
		ValidArgsFunction: complete("port", "dev", "id", "signal", "subflow", "backup", "fullmesh", "laminar"),
		Args:              cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := parseWords(args, "address", "port", "dev", "id", "flags")
			if err != nil {
				return err
			}
			if !w.addr.IsValid() {
				return usage("no address to add")
			}
			return manage(cmd, func(c *pathmanager.Client) error { return c.AddEndpoint(w.endpoint()) })
		},
	}
	del := &cobra.Command{
		Use: "delete id ID [ADDRESS]", Aliases: []string{"del"}, Short: "Delete an endpoint",
		Long: `Delete an endpoint. Connections lose the subflows that use it. The address is
needed only with the identifier 0: it is then one that connections began with.`,
		ValidArgsFunction: complete("id"),
		Args:              cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := parseWords(args, "address", "id")
			if err != nil {
				return err
			}
			if !w.hasID {
				return usage("no identifier: want \"delete id ID\", with one of \"mptcp endpoints\"")
			}
			if w.id == 0 && !w.addr.IsValid() {
				return usage("the identifier 0 needs an address")
			}
			return manage(cmd, func(c *pathmanager.Client) error { return c.DeleteEndpoint(w.endpoint()) })
		},
	}
	change := &cobra.Command{
		Use:               "change {id ID | ADDRESS} [port PORT] [[no]backup] [[no]fullmesh]",
		Short:             "Change the flags of an endpoint, and of the subflows that use it",
		ValidArgsFunction: complete("id", "port", "backup", "nobackup", "fullmesh", "nofullmesh"),
		Args:              cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := parseWords(args, "address", "port", "id", "change")
			if err != nil {
				return err
			}
			if w.id == 0 && !w.addr.IsValid() {
				return usage("which endpoint? want \"change id ID\" or \"change ADDRESS\"")
			}
			if w.flags|w.not == 0 {
				return usage("nothing to change: want backup, nobackup, fullmesh or nofullmesh")
			}
			return manage(cmd, func(c *pathmanager.Client) error { return w.change(c) })
		},
	}
	flush := &cobra.Command{
		Use: "flush", Short: "Delete all endpoints", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return manage(cmd, (*pathmanager.Client).Flush)
		},
	}
	for _, c := range []*cobra.Command{cmd, showCmd} {
		c.Flags().BoolVar(&asJSON, "json", false, "write JSON, as ip -json does")
	}
	cmd.AddCommand(showCmd, add, del, change, flush)
	return cmd
}

// complete completes words that may come in any order.
func complete(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// manage calls f with the path manager of this host.
func manage(cmd *cobra.Command, f func(*pathmanager.Client) error) error {
	if err := needLinux(cmd); err != nil {
		return err
	}
	c, err := pathmanager.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// words are the arguments of ip mptcp endpoint.
type words struct {
	addr       netip.Addr
	port       uint16
	ifIndex    int
	id         uint8
	hasID      bool
	flags, not pathmanager.Flags
}

func (w words) endpoint() pathmanager.Endpoint {
	return pathmanager.Endpoint{ID: w.id, Addr: w.addr, Port: w.port, Flags: w.flags, IfIndex: w.ifIndex}
}

// change sets the flags that are named, and keeps the other one that can be
// changed as it is.
func (w words) change(c *pathmanager.Client) error {
	list, err := c.Endpoints()
	if err != nil {
		return err
	}
	for _, e := range list {
		if w.id != 0 && e.ID == w.id || w.id == 0 && e.Addr == w.addr && (w.port == 0 || e.Port == w.port) {
			e.Flags = e.Flags&^w.not | w.flags
			return c.SetFlags(pathmanager.Endpoint{ID: e.ID, Addr: e.Addr, Port: e.Port, Flags: e.Flags})
		}
	}
	return fmt.Errorf("there is no endpoint %v: see \"mptcp endpoints\"", w.endpoint())
}

// parseWords reads arguments of the kinds that are allowed: "address", "port",
// "dev", "id", "flags" and "change", which is flags with and without "no".
func parseWords(args []string, allowed ...string) (w words, err error) {
	may := make(map[string]bool)
	for _, a := range allowed {
		may[a] = true
	}
	for i := 0; i < len(args); i++ {
		word := args[i]
		value := func() (string, error) {
			if i++; i >= len(args) {
				return "", usage("%s: nothing after it", word)
			}
			return args[i], nil
		}
		switch {
		case may[word] && (word == "port" || word == "id"):
			v, err := value()
			if err != nil {
				return words{}, err
			}
			bits := map[string]int{"port": 16, "id": 8}[word]
			n, err := strconv.ParseUint(v, 10, bits)
			if err != nil {
				return words{}, usage("%s %q: not a number from 0 to %d", word, v, 1<<bits-1)
			}
			if word == "port" {
				w.port = uint16(n)
			} else {
				w.id, w.hasID = uint8(n), true
			}
		case may[word] && word == "dev":
			v, err := value()
			if err != nil {
				return words{}, err
			}
			ifc, err := net.InterfaceByName(v)
			if err != nil {
				return words{}, usage("dev %q: there is no such interface", v)
			}
			w.ifIndex = ifc.Index
		default:
			if may["address"] && !w.addr.IsValid() {
				if a, err := netip.ParseAddr(word); err == nil {
					w.addr = a
					continue
				}
			}
			name, no := word, false
			if may["change"] {
				name, no = strings.CutPrefix(word, "no")
			}
			var f pathmanager.Flags
			ok := may["flags"] || may["change"] && (name == "backup" || name == "fullmesh")
			if !ok || f.UnmarshalText([]byte(name)) != nil || f == 0 {
				return words{}, usage("%q is not one of: %s", word, strings.Join(allowed, ", "))
			}
			if no {
				w.not |= f
			} else {
				w.flags |= f
			}
		}
	}
	if w.flags&w.not != 0 {
		return words{}, usage("%v and no%v contradict each other", w.flags&w.not, w.flags&w.not)
	}
	return w, nil
}

// printEndpoints prints what ip mptcp endpoint show does.
func printEndpoints(out io.Writer, list []pathmanager.Endpoint, asJSON bool) error {
	objects := []map[string]any{}
	for _, e := range list {
		dev := ""
		if e.IfIndex != 0 {
			dev = strconv.Itoa(e.IfIndex) // if it has no name any more
			if ifc, err := net.InterfaceByIndex(e.IfIndex); err == nil {
				dev = ifc.Name
			}
		}
		o := map[string]any{"address": e.Addr, "id": e.ID}
		line := []string{e.Addr.String()}
		if e.Port != 0 {
			o["port"] = e.Port
			line = append(line, fmt.Sprintf("port %d", e.Port))
		}
		line = append(line, fmt.Sprintf("id %d", e.ID))
		for name := range strings.FieldsSeq(e.Flags.String()) {
			o[name] = true
			line = append(line, name)
		}
		if dev != "" {
			o["dev"] = dev
			line = append(line, "dev "+dev)
		}
		objects = append(objects, o)
		if !asJSON {
			fmt.Fprintln(out, strings.Join(line, " "))
		}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(objects)
	}
	return nil
}
