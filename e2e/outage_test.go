package e2e

import (
	"context"
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
)

// TestCloudOutage takes the cloud away from a working site, stopped first and
// then hung: calls and agents go on, and what happened is told once afterwards.
func TestCloudOutage(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "outage", 3, "ordinary")
	o := &outage{tn: newTenant(ctx, t, c), ua: ua}
	o.ada, o.bob = o.tn.desk(ctx, t, "ada", 1), o.tn.desk(ctx, t, "bob", 2)

	o.round(ctx, t, func() {
		if err := c.Cloud().Stop(20 * time.Second); err != nil {
			t.Fatal(err)
		}
	}, func() {
		if err := c.StartCloud(ctx); err != nil {
			t.Fatal(err)
		}
	})
	o.round(ctx, t, func() { signal(t, c, syscall.SIGSTOP) }, func() { signal(t, c, syscall.SIGCONT) })
}

func signal(t *testing.T, c *harness.Cluster, s syscall.Signal) {
	t.Helper()
	if err := c.Cloud().Signal(s); err != nil {
		t.Fatal(err)
	}
}

type outage struct {
	tn       *tenant
	ua       *carrier.Carrier
	ada, bob *harness.Desk
	calls    int
}

// round: one call talks, one waits and one is in the menu when the cloud goes;
// a fourth comes while it is away.
func (o *outage) round(ctx context.Context, t *testing.T, away, back func()) {
	t.Helper()
	tn, ada, bob := o.tn, o.ada, o.bob
	ready(ctx, t, ada)
	talking := o.dial(ctx, t)
	talking.Press("1")
	first := offered(ctx, t, ada, talking)
	leg, err := ada.Answer(ctx, first, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	talk(ctx, t, talking.Call, leg, 400, 1000)
	waiting := o.dial(ctx, t)
	waiting.Press("1")
	if err := ada.WaitWaiting(ctx, 1); err != nil {
		t.Fatal(err)
	}
	menu := o.dial(ctx, t)

	gone := time.Now()
	away()
	if err := ada.WaitCloud(ctx, false, math.MaxUint64); err != nil {
		t.Fatal(err)
	}
	t.Logf("FIGURE outage_seen_ms %d ms", time.Since(gone).Milliseconds())
	talk(ctx, t, talking.Call, leg, 400, 1000)
	notReady(ctx, t, ada, "")
	finish(ctx, t, ada, first)
	leg.Close()
	menu.Press("1") // or it went on to the queue by itself
	ready(ctx, t, bob)
	o.serve(ctx, t, bob, waiting)
	o.serve(ctx, t, bob, menu)
	late := o.dial(ctx, t)
	late.Press("1")
	o.serve(ctx, t, bob, late)
	notReady(ctx, t, bob, "")

	returned := time.Now()
	back()
	for _, d := range []*harness.Desk{ada, bob} {
		if err := d.WaitCloud(ctx, true, 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("FIGURE outage_caught_up_ms %d ms", time.Since(returned).Milliseconds())
	for i, who := range []caller{talking, waiting, menu, late} {
		agent := bob
		if i == 0 {
			agent = ada
		}
		rec := recordOf(ctx, t, tn, who.number)
		if rec.GetOutcome() != "answered" || rec.GetAgentId() != agent.Agent().GetId() || rec.GetTalkMs() == 0 {
			t.Errorf("the record of %s: %v", who.number, rec)
		}
		eventually(ctx, t, "the recording of "+who.number, func() error { return stored(ctx, tn, rec.GetId(), 1) })
	}
}

func (o *outage) dial(ctx context.Context, t *testing.T) caller {
	t.Helper()
	o.calls++
	number := o.tn.caller(o.calls)
	return caller{Call: o.tn.dialFrom(ctx, t, o.ua, o.calls%len(o.tn.c.Nodes), number, tone(400)), number: number}
}

func (o *outage) serve(ctx context.Context, t *testing.T, d *harness.Desk, who caller) {
	t.Helper()
	offer := offered(ctx, t, d, who)
	leg, err := d.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	talk(ctx, t, who.Call, leg, 400, 1000)
	finish(ctx, t, d, offer)
	leg.Close()
}

// stored: the call has so many recordings, and the cloud holds them whole.
func stored(ctx context.Context, tn *tenant, id string, recordings int) error {
	rec, err := getCall(ctx, tn, id)
	if err != nil {
		return err
	}
	if len(rec.GetRecordings()) != recordings {
		return fmt.Errorf("%d recordings, want %d", len(rec.GetRecordings()), recordings)
	}
	for _, r := range rec.GetRecordings() {
		if r.GetStatus() != "stored" {
			return fmt.Errorf("recording is %s", r.GetStatus())
		}
	}
	return nil
}
