package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
)

// TestBrowserOwnSite is a company with hardware of its own and nothing but the
// pages: it makes a site, runs the command it is shown, enters trunk and number,
// and is called there. What was refused before says so on the site's page.
func TestBrowserOwnSite(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	email := fmt.Sprintf("owner@company%d.example", tenants.Add(1))
	if _, err := c.SignUp(ctx, email, "Own Hardware", "en"); err != nil {
		t.Fatal(err)
	}
	owner := signIn(ctx, t, browser(ctx, t, 1000), c, "owner", email)
	command := owner.makesSite(ctx, t, c, "Building 4")
	node := joinByHand(ctx, t, c, command)
	owner.wait(ctx, t, "text=/Own certificate/") // the join log is live
	run(ctx, t, c, node)

	const number = "+493012345678"
	dial := carrier.Dial{Node: node.Ready.SIPUDP, From: "+4930111222", To: number}
	if call, err := ua.Call(ctx, dial); err == nil {
		call.Hangup(ctx)
		t.Fatal("a call is answered before there is a trunk")
	}
	owner.click(ctx, t, `role=link[name="Building 4"]`)
	owner.wait(ctx, t, "role=table[name=Nodes] >> text=Leader")
	owner.click(ctx, t, `text="Refused calls"`)
	owner.wait(ctx, t, "text=No trunk lists this address")

	owner.connects(ctx, t, c, number, ua.Addr())
	began := time.Now()
	var call *carrier.Call
	eventually(ctx, t, "the number is answered", func() (err error) {
		call, err = ua.Call(ctx, dial)
		return err
	})
	t.Logf("FIGURE number_answered_ms %d ms", time.Since(began).Milliseconds())
	t.Cleanup(func() { call.Hangup(context.WithoutCancel(ctx)) })
	eventually(ctx, t, "the greeting", func() error { return music(call.Heard().Audio, 400) })
	owner.complains(t)
}

// makesSite takes own nodes on the checklist and returns the command for the first.
func (p *person) makesSite(ctx context.Context, t *testing.T, c *harness.Cluster, name string) (command string) {
	t.Helper()
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/setup?step=site"})
	p.click(ctx, t, "role=radio[name=/own nodes/]")
	p.fill(ctx, t, "input[name=name]", name)
	p.click(ctx, t, `role=button[name="Create the site"]`)
	p.click(ctx, t, `role=button[name="Make the command"]`)
	if err := p.Do(ctx, "text", harness.Args{"on": "code"}, &command); err != nil {
		t.Fatal(err)
	}
	return command
}

// connects enters a trunk from and to this machine, and a number on it.
func (p *person) connects(ctx context.Context, t *testing.T, c *harness.Cluster, number, target string) {
	t.Helper()
	p.do(ctx, t, "goto", harness.Args{"url": c.Web + "/numbers"})
	p.click(ctx, t, `role=button[name="Add a trunk"]`)
	p.fill(ctx, t, "input[name=name]", "Carrier next door")
	p.fill(ctx, t, `xpath=//label[contains(.,"accepted from")]/following::input[1]`, "127.0.0.1,")
	p.fill(ctx, t, "input[name=target]", target)
	p.click(ctx, t, "role=button[name=Save]")
	p.click(ctx, t, `role=button[name="Add a number"]`)
	p.fill(ctx, t, "input[name=e164]", number)
	p.click(ctx, t, "role=button[name=Save]")
	p.wait(ctx, t, `role=table[name=Numbers] >> text="Carrier next door"`)
}

// joinByHand runs the command of the page on one more machine; the same command
// again is refused with what to do.
func joinByHand(ctx context.Context, t *testing.T, c *harness.Cluster, command string) *harness.Node {
	t.Helper()
	args := strings.Fields(command)
	if len(args) < 2 || args[0] != "trunkline-edge" {
		t.Fatalf("the page's command is %q", command)
	}
	program := filepath.Join(root(), "bin", args[0])
	n := c.Machine(fmt.Sprintf("hand%d", tenants.Add(1)))
	out, err := harness.Run(ctx, "", program, append(args[1:], "--data", n.Dir, "--name", n.Name)...)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "FAILED") {
		t.Errorf("the join says\n%s", out)
	}
	out, err = harness.Run(ctx, "", program, append(args[1:], "--data", t.TempDir(), "--name", "second")...)
	if err == nil || !strings.Contains(out, "token") {
		t.Errorf("the token again: %v\n%s", err, out)
	}
	return n
}

// run runs a joined node until the test ends.
func run(ctx context.Context, t *testing.T, c *harness.Cluster, n *harness.Node) {
	t.Helper()
	if err := c.RunNode(ctx, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process(n).Stop(20 * time.Second); err != nil {
			t.Error(err)
		}
	})
}
