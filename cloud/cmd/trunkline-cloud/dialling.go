package main

import (
	"context"

	"trunkline/cloud/server"
)

// diallingCommands say who may call over the platform's trunks.
type diallingCommands struct {
	Grant grantCommand `cmd:"" help:"Let a tenant call numbers outside over the platform's trunks; what it may call it says itself."`
}

type grantCommand struct {
	Tenant string `required:"" help:"The tenant's short name, as in its address."`
	Calls  int    `required:"" help:"Calls at a time at each site; 0 takes it back."`

	database `embed:""`
}

// Run prints nothing.
func (c *grantCommand) Run(ctx context.Context) error {
	return server.GrantCalls(ctx, c.config(), c.Tenant, c.Calls)
}
