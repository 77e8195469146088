package main

import (
	"context"
	"fmt"
	"time"

	"trunkline/cloud/server"
)

// siteCommands make hosted sites and the tokens their nodes join by.
type siteCommands struct {
	CreateHosted createHostedCommand `cmd:"" help:"Make a site run by the platform."`
	Token        siteTokenCommand    `cmd:"" help:"Print a token with which one node joins a hosted site."`
}

type createHostedCommand struct {
	Name string `required:"" help:"Name of the site."`

	database `embed:""`
}

// Run prints the site's id.
func (c *createHostedCommand) Run(ctx context.Context) error {
	id, err := server.CreateHostedSite(ctx, c.config(), c.Name)
	if err == nil {
		fmt.Println(id)
	}
	return err
}

type siteTokenCommand struct {
	Site string `required:"" help:"Name of the hosted site."`

	database `embed:""`
}

// Run prints the token alone on standard output, for scripts.
func (c *siteTokenCommand) Run(ctx context.Context) error {
	token, expires, err := server.SiteToken(ctx, c.config(), c.Site)
	if err != nil {
		return err
	}
	note("works once, until %s", expires.Local().Format(time.TimeOnly))
	fmt.Println(token)
	return nil
}
