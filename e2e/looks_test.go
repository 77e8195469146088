package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

const platformAdmin = "admin@platform.example"

// visit is one person and the routes they look at; an empty address is a
// stranger.
type visit struct {
	who, email string
	routes     []string
}

// visits are all routes, each with somebody who has something to see there. A
// route nobody visits is a route nobody proves.
func visits(tn *tenant, callID, siteID string) []visit {
	return []visit{
		{routes: []string{
			"/sign-in", "/sign-up", "/confirm?email=a@b.example", "/forgot", "/reset?token=x", "/invitation?token=x",
			"/confirm-email?token=x", "/gallery", "/nowhere",
		}},
		{"owner", tn.owner.Email, []string{
			"/setup", "/setup?step=test_call", "/setup?step=trunk", "/setup?step=agents",
			"/setup?step=routing", "/wallboard", "/calls", "/calls/" + callID, "/reports/queues", "/reports/queues?view=table", "/sites",
			"/sites/" + siteID, "/numbers", "/queues", "/flow", "/prompts", "/members", "/settings", "/account", "/nowhere",
		}},
		{"supervisor", "sasha@" + tn.domain, []string{"/wallboard", "/settings"}}, // the second is not for them
		{"admin", platformAdmin, []string{
			"/console", fmt.Sprintf("/console/tenants/%d", tn.owner.Tenant), "/console/sites",
			"/console/audit",
		}},
	}
}

// emptyVisit is a company in its first minute.
func emptyVisit(email string) visit {
	return visit{"fresh", email, []string{"/setup", "/wallboard", "/calls", "/reports/queues", "/sites", "/numbers", "/members", "/desktop"}}
}

// makeAdmin makes the platform's administrator once; the cluster is shared.
func makeAdmin(ctx context.Context, t *testing.T, c *harness.Cluster) {
	t.Helper()
	if _, err := c.CloudCommand(ctx, harness.Password+"\n", "admin", "create", "--email", platformAdmin, "--password-stdin"); err != nil {
		t.Fatal(err)
	}
}

// shortDay is a company with a supervisor and one call that was given up.
func shortDay(ctx context.Context, t *testing.T, c *harness.Cluster, ua *carrier.Carrier) (tn *tenant, callID, siteID string) {
	t.Helper()
	tn = newTenant(ctx, t, c)
	if _, err := c.Invite(ctx, tn.owner, "sasha@"+tn.domain, "Sasha Supervisor", "supervisor"); err != nil {
		t.Fatal(err)
	}
	call := tn.dial(ctx, t, ua, 0, nil)
	call.Press("1")
	eventually(ctx, t, "the caller waits", func() error { return music(call.Heard().Audio, 1000) })
	call.Hangup(ctx)
	eventually(ctx, t, "the call is in the cloud", func() error {
		r, err := tn.owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 1})
		if err == nil && len(r.GetCalls()) == 0 {
			err = fmt.Errorf("no call")
		}
		if err == nil {
			callID = r.GetCalls()[0].GetId()
		}
		return err
	})
	return tn, callID, tn.site(ctx, t)
}

// site is the id of the tenant's one site.
func (tn *tenant) site(ctx context.Context, t *testing.T) string {
	t.Helper()
	sites, err := tn.owner.Sites().ListSites(ctx, &cloudv1.ListSitesRequest{PageSize: 10})
	if err != nil || len(sites.GetSites()) == 0 {
		t.Fatalf("sites: %v %v", sites, err)
	}
	return sites.GetSites()[0].GetId()
}

// looks are the ways to look at a page.
type look struct{ locale, scheme string }

var looks = []look{{"en", "light"}, {"zh-Hans", "dark"}, {"zh-Hans", "light"}, {"en", "dark"}}

// breaks gives what axe-core finds on the page shown.
func (p *person) breaks(ctx context.Context, t *testing.T, who, route string, l look) []finding {
	t.Helper()
	f := finding{Who: who, Route: route, Scheme: l.scheme, Locale: l.locale}
	if err := p.Do(ctx, "axe", nil, &f.Rules); err != nil {
		t.Errorf("axe on %s: %v", route, err)
	}
	if len(f.Rules) == 0 {
		return nil
	}
	return []finding{f}
}

// TestPagesBreakNoRule asks axe-core about every route once, each in another
// language and scheme than the one before. TestScreens asks in all of them.
func TestPagesBreakNoRule(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, 5*time.Minute)
	makeAdmin(ctx, t, c)
	tn, callID, siteID := shortDay(ctx, t, c, ua)
	b := browser(ctx, t, 1000)
	var found []finding
	pages := 0
	for _, v := range visits(tn, callID, siteID) {
		p := v.open(ctx, t, b, c)
		for i, route := range v.routes {
			l := looks[(pages+i)%len(looks)]
			p.looksAs(ctx, t, l)
			p.do(ctx, t, "goto", harness.Args{"url": c.Web + route})
			p.do(ctx, t, "settle", harness.Args{"pause": 50})
			found = append(found, p.breaks(ctx, t, v.who, route, l)...)
		}
		pages += len(v.routes)
		p.complains(t)
		p.do(ctx, t, "close", nil)
	}
	tell(t, found)
}
