package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// away is thirty minutes as they pass: longer than any token of the cloud's lives.
const away = 30 * time.Minute

// TestLongOutage works through thirty minutes without the cloud: an agent in a
// browser and one without take calls, write them up, lose the page and, one after
// the other, the leader and the node the page came from. Nobody is signed out,
// and afterwards each call is told once. What of it needs no thirty minutes is
// tested in less: TestThirtyMinutesWithoutTheCloud in edge and webapp.
func TestLongOutage(t *testing.T) {
	if os.Getenv("TRUNKLINE_LONG") == "" {
		t.Skip("only in make test-long")
	}
	ctx := testContext(t, away+15*time.Minute)
	c, ua := ownCluster(ctx, t, "long-outage", 3, "ordinary")
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	o := &longOutage{outage: outage{tn: tn, ua: ua}}
	o.begin(ctx, t)

	if err := c.Cloud().Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	gone := time.Now()
	o.ada.wait(ctx, t, testid("site-mode"))
	others := [2]int{(o.safe + 1) % len(c.Nodes), (o.safe + 2) % len(c.Nodes)}
	for i := 0; time.Since(gone) < away; i++ {
		during := func(*carrier.Call) {}
		switch i {
		case 3, 7, 11:
			during = func(call *carrier.Call) { o.ada.reloads(ctx, t, call) }
		case 5:
			during = func(call *carrier.Call) { o.kill(ctx, t, others[0], call) }
		case 9:
			during = func(call *carrier.Call) { o.kill(ctx, t, others[1], call) }
		}
		o.turn(ctx, t, during)
		// The next turn begins two minutes after this one.
		select {
		case <-time.After(time.Until(gone.Add(time.Duration(i+1) * 2 * time.Minute))):
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	t.Logf("FIGURE outage_worked_through_s %.0f s", time.Since(gone).Seconds())
	o.back(ctx, t)
}

// longOutage is an outage with a person in a browser, and the harness's desk
// beside, at a node that is left alone.
type longOutage struct {
	outage
	ada  *person
	bob  *harness.Desk
	safe int
	all  []string // callers' numbers
}

func (o *longOutage) begin(ctx context.Context, t *testing.T) {
	t.Helper()
	c := o.tn.c
	email := "ada@" + o.tn.domain
	if _, err := c.Invite(ctx, o.tn.owner, email, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	o.ada = openDesktop(ctx, t, browser(ctx, t, 1000, 400), c, email)
	var home string
	if err := o.ada.Do(ctx, "run", harness.Args{"code": "location.origin"}, &home); err != nil {
		t.Fatal(err)
	}
	leader := 0
	eventually(ctx, t, "the site has a leader", func() (err error) {
		leader, err = leaderOf(ctx, c)
		return err
	})
	for i, n := range c.Nodes {
		if i != leader && n.Ready.Web != home {
			o.safe = i
		}
	}
	t.Logf("leader %s, Ada's page from %s, Bob at %s", c.Nodes[leader].Name, home, c.Nodes[o.safe].Name)
	o.bob = o.tn.desk(ctx, t, "bob", o.safe)
	o.turn(ctx, t, func(*carrier.Call) {}) // while all is well
}

// turn is a call for each agent, from the offer to the end of the wrap-up.
func (o *longOutage) turn(ctx context.Context, t *testing.T, during func(*carrier.Call)) {
	t.Helper()
	began := time.Now()
	first := o.dial(ctx, t)
	first.Press("1")
	o.ada.answer(ctx, t, began)
	eventually(ctx, t, "the caller hears Ada", func() error { return hears(first.Heard().Audio, 1000) })
	ready(ctx, t, o.bob)
	second := o.dial(ctx, t)
	second.Press("1")
	o.serve(ctx, t, o.bob, second)
	notReady(ctx, t, o.bob, "")
	during(first.Call)
	o.ada.click(ctx, t, testid("hangup"))
	o.ada.wrapsUp(ctx, t)
	o.all = append(o.all, first.number, second.number)
	if reason := o.bob.SignedOut(); reason != "" {
		t.Fatalf("Bob is signed out as %q", reason)
	}
}

// dial calls at the node that is left alone.
func (o *longOutage) dial(ctx context.Context, t *testing.T) caller {
	t.Helper()
	o.calls++
	number := o.tn.caller(o.calls)
	return caller{Call: o.tn.dialFrom(ctx, t, o.ua, o.safe, number, tone(400)), number: number}
}

// kill ends a node while Ada talks, and starts it again after ten seconds.
func (o *longOutage) kill(ctx context.Context, t *testing.T, node int, call *carrier.Call) {
	t.Helper()
	c := o.tn.c
	t.Logf("%s is killed", c.Nodes[node].Name)
	c.Process(c.Nodes[node]).Kill()
	time.Sleep(10 * time.Second) // what an operator's service manager waits
	hearsMore(ctx, t, call, 8000)
	eventually(ctx, t, "the caller hears Ada after the kill", func() error { return hears(call.Heard().Audio, 1000) })
	if err := c.RunNode(ctx, c.Nodes[node]); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the killed node votes again", func() error { return wholeGroup(ctx, c) })
}

// back: the cloud is there again; nobody was signed out, nothing is lost or twice.
func (o *longOutage) back(ctx context.Context, t *testing.T) {
	t.Helper()
	c := o.tn.c
	if err := c.StartCloud(ctx); err != nil {
		t.Fatal(err)
	}
	if err := o.bob.WaitCloud(ctx, true, 0); err != nil {
		t.Fatal(err)
	}
	o.ada.do(ctx, t, "wait", harness.Args{"on": testid("site-mode"), "state": "detached"})
	o.turn(ctx, t, func(call *carrier.Call) { o.ada.reloads(ctx, t, call) })
	owner, err := c.SignIn(ctx, o.tn.owner.Email)
	if err != nil {
		t.Fatal(err)
	}
	o.tn.owner = owner
	for _, number := range o.all {
		rec := recordOf(ctx, t, o.tn, number)
		if rec.GetOutcome() != "answered" || rec.GetTalkMs() == 0 || rec.GetEndedBy() != "agent" {
			t.Errorf("the record of %s: %v", number, rec)
		}
		eventually(ctx, t, "the recordings of "+number, func() error { return stored(ctx, o.tn, rec.GetId(), len(rec.GetRecordings())) })
	}
	list, err := owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 200, Filter: &cloudv1.CallFilter{
		From: timestamppb.New(time.Now().Add(-2 * away)), To: timestamppb.New(time.Now().Add(time.Hour)),
	}})
	if err != nil || len(list.GetCalls()) != len(o.all) {
		t.Errorf("%d records of %d calls: %v", len(list.GetCalls()), len(o.all), err)
	}
	o.ada.complains(t)
}
