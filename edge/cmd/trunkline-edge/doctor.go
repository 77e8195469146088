package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"trunkline/edge/doctor"
)

type doctorCommand struct {
	Data  string `type:"path" default:"/var/lib/trunkline-edge" help:"Directory of this node."`
	Cloud string `help:"The cloud's web address; the one the node joined with if empty."`
	Token string `env:"TRUNKLINE_JOIN_TOKEN" help:"Look at a join token too; it is not spent."`
	JSON  bool   `name:"json" help:"Print the findings as JSON."`
}

var marks = map[doctor.State]string{doctor.OK: "ok     ", doctor.Warning: "warning", doctor.Failed: "FAILED ", doctor.Skipped: "skipped"}

// Run prints the findings and ends with code 1 if one is a failure.
func (c *doctorCommand) Run(ctx context.Context) error {
	found := doctor.Run(ctx, doctor.Options{Dir: c.Data, Cloud: c.Cloud, Token: c.Token})
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found {
			fmt.Printf("%s  %-11s  %s\n", marks[f.State], f.Check, f.Message)
			if f.Fix != "" {
				fmt.Printf("%24s%s\n", "-> ", f.Fix)
			}
		}
	}
	if doctor.Bad(found) {
		return errSaid
	}
	return nil
}
