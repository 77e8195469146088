package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write infra/systemd/trunkline-edge.service")

// The unit packages ship is what install writes with the default flags.
func TestShippedUnitIsCurrent(t *testing.T) {
	const shipped = "../../../infra/systemd/trunkline-edge.service"
	c := installCommand{Data: "/var/lib/trunkline-edge", User: "trunkline"}
	want, err := c.unit("/usr/bin/trunkline-edge")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(shipped, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(shipped)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not current (%v): go test ./edge/cmd/trunkline-edge -run Shipped -update", shipped, err)
	}
}

func TestUnitRefusesWhatWouldBreakIt(t *testing.T) {
	for _, bad := range []installCommand{
		{Data: "/var/lib/my node", User: "trunkline"},
		{Data: "/var/lib/node", User: "x\nExecStart=/bin/sh"},
		{Data: "/var/%i", User: "trunkline"},
	} {
		if _, err := bad.unit("/usr/bin/trunkline-edge"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	home := installCommand{Data: "/home/ann/node", User: "ann"}
	if unit, err := home.unit("/usr/bin/trunkline-edge"); err != nil || !strings.Contains(string(unit), "ProtectHome=read-only") {
		t.Errorf("a directory in a home: %v", err)
	}
}
