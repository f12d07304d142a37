package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/multipath-go/mptcp/pathmanager"
)

func newLimits() *cobra.Command {
	var asJSON bool
	show := func(cmd *cobra.Command, _ []string) error {
		return manage(cmd, func(c *pathmanager.Client) error {
			l, err := c.Limits()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]uint32{
					"add_addr_accepted": l.AddAddrAccepted, "subflows": l.Subflows,
				})
			}
			fmt.Fprintln(cmd.OutOrStdout(), l)
			return nil
		})
	}
	cmd := &cobra.Command{
		Use:     "limits",
		Aliases: []string{"limit"},
		Short:   "Show and change the limits of the path manager, as ip mptcp limits does",
		Long: `Show and change the limits of the path manager, as "ip mptcp limits" does: how
many subflows a connection may have besides the first, and how many of the
addresses that its peer announces it connects to.

Showing needs no root, changing does. Changes are gone after the next boot.`,
		Example: `  mptcp limits
  mptcp limits set subflows 4 add_addr_accepted 2`,
		Args: cobra.NoArgs,
		RunE: show,
	}
	showCmd := &cobra.Command{Use: "show", Aliases: []string{"list"}, Short: "Show the limits", Args: cobra.NoArgs, RunE: show}
	set := &cobra.Command{
		Use:               "set [subflows N] [add_addr_accepted N]",
		Short:             "Set limits; one that is not named stays as it is",
		ValidArgsFunction: complete("subflows", "add_addr_accepted"),
		Args:              cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := parseLimits(args)
			if err != nil {
				return err
			}
			return manage(cmd, func(c *pathmanager.Client) error {
				l, err := c.Limits()
				if err != nil {
					return err
				}
				if v, ok := values["subflows"]; ok {
					l.Subflows = v
				}
				if v, ok := values["add_addr_accepted"]; ok {
					l.AddAddrAccepted = v
				}
				return c.SetLimits(l)
			})
		},
	}
	for _, c := range []*cobra.Command{cmd, showCmd} {
		c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	}
	cmd.AddCommand(showCmd, set)
	return cmd
}

func parseLimits(args []string) (map[string]uint32, error) {
	values := make(map[string]uint32)
	for i := 0; i < len(args); i += 2 {
		name := args[i]
		if name == "subflow" { // ip(8) takes both
			name = "subflows"
		}
		if name != "subflows" && name != "add_addr_accepted" {
			return nil, usage("%q is not one of: subflows, add_addr_accepted", name)
		}
		if i+1 >= len(args) {
			return nil, usage("%s: nothing after it", name)
		}
		n, err := strconv.ParseUint(args[i+1], 10, 32)
		if err != nil { // how many there can be is the kernel's to say
			return nil, usage("%s %q: not a number", name, args[i+1])
		}
		values[name] = uint32(n)
	}
	return values, nil
}
