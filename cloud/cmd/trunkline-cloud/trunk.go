package main

import (
	"context"
	"fmt"

	"trunkline/cloud/server"
)

// trunkCommands keep the platform's own trunks.
type trunkCommands struct {
	Add addTrunkCommand `cmd:"" help:"Make a trunk shared by the tenants of a hosted site, or change the one of that name."`
}

type addTrunkCommand struct {
	Site      string   `required:"" help:"Name of the hosted site."`
	Name      string   `required:"" help:"Name of the trunk."`
	Allow     []string `required:"" help:"Addresses or prefixes calls may come from; may be given more than once."`
	Target    string   `help:"host:port calls are sent to."`
	Transport string   `default:"udp" enum:"udp,tcp" help:"udp or tcp."`
	Takeover  string   `default:"any-node" enum:"any-node,floating-ip" help:"Where requests within a call may come from after a takeover."`
	MaxCalls  int      `help:"Calls at a time; 0 for no bound of its own."`

	database `embed:""`
}

// Run prints the trunk's id.
func (c *addTrunkCommand) Run(ctx context.Context) error {
	id, err := server.AddTrunk(ctx, c.config(), server.PlatformTrunk{
		Site: c.Site, Name: c.Name, Allowed: c.Allow, Target: c.Target, Transport: c.Transport, Takeover: c.Takeover, MaxCalls: c.MaxCalls,
	})
	if err == nil {
		fmt.Println(id)
	}
	return err
}
