package main

import (
	"context"
	"fmt"

	"trunkline/cloud/server"
)

// numberCommands give tenants numbers on the platform's trunks.
type numberCommands struct {
	Add addNumberCommand `cmd:"" help:"Give a tenant a number; giving it again changes nothing."`
}

type addNumberCommand struct {
	Tenant string `required:"" help:"The tenant's short name, as in its address."`
	E164   string `name:"e164" required:"" help:"The number, e.g. +4930123456."`
	Trunk  string `help:"Name of the platform trunk; not needed where there is one only."`
	Flow   string `help:"Id of the flow; the tenant's first if empty."`

	database `embed:""`
}

// Run prints the number's id.
func (c *addNumberCommand) Run(ctx context.Context) error {
	id, err := server.AddNumber(ctx, c.config(), server.PlatformNumber{Tenant: c.Tenant, E164: c.E164, Trunk: c.Trunk, Flow: c.Flow})
	if err == nil {
		fmt.Println(id)
	}
	return err
}
