package main

import (
	"context"
	"log/slog"

	"trunkline/edge/enroll"
	"trunkline/edge/node"
)

type runCommand struct {
	Data      string `type:"path" default:"/var/lib/trunkline-edge" help:"Directory of this node."`
	Timing    string `enum:"fast,ordinary" default:"fast" help:"Profile of time-outs; ordinary is five times as slow."`
	ReadyFile string `type:"path" help:"Write the ready line to this file as well."`
}

// Run runs the node until a signal comes.
func (c *runCommand) Run(ctx context.Context) error {
	e, err := enroll.Load(c.Data)
	if err != nil {
		return err
	}
	return node.Run(ctx, node.Config{
		Enrolment: e, Timing: c.Timing, ReadyFile: c.ReadyFile, Version: version, Log: slog.Default(),
	})
}
