package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestQueue lets ten callers wait at all three nodes for two agents: who came
// first is served first, whatever agents do with their offers.
func TestQueue(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	ada, bob := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "bob", 2)

	var calls []caller
	for i := range 10 {
		calls = append(calls, tn.wait(ctx, t, ua, ada, i))
	}
	desks := []*harness.Desk{ada, bob}
	var talking [2]*agentv1.Call
	for i, who := range calls {
		d := desks[i%2]
		if talking[i%2] == nil {
			ready(ctx, t, d)
		} else {
			finish(ctx, t, d, talking[i%2])
		}
		offer := offered(ctx, t, d, who)
		leg, err := d.Answer(ctx, offer, tone(1000))
		if err != nil {
			t.Fatal(err)
		}
		defer leg.Close()
		talk(ctx, t, who.Call, leg, 400, 1000)
		talking[i%2] = offer
	}
	for i, d := range desks {
		notReady(ctx, t, d, "") // after the call
		finish(ctx, t, d, talking[i])
		if err := d.WaitState(ctx, agentv1.AgentState_AGENT_STATE_NOT_READY); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range calls {
		rec := recordOf(ctx, t, tn, who.number)
		if rec.GetOutcome() != "answered" || rec.GetEndedBy() != "agent" {
			t.Errorf("the record of %s: %v", who.number, rec)
		}
	}
}

// TestRefusals: an offer that is rejected or not answered goes to the next agent,
// and the caller stays first.
func TestRefusals(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	const rings = 10 * time.Second
	tn := newTenant(ctx, t, c)
	tn.offerTimeout(ctx, t, rings)
	ada, bob := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "bob", 2)
	first, second := tn.wait(ctx, t, ua, ada, 1), tn.wait(ctx, t, ua, ada, 2)
	ready(ctx, t, ada)
	offer := offered(ctx, t, ada, first)
	if left := offer.GetOfferDeadline().AsTime().Sub(offer.GetOfferedAt().AsTime()); left != rings {
		t.Errorf("the offer rings for %s, want %s", left, rings)
	}
	if _, err := ada.At(offer.GetNodeUrl()).Reject(ctx, harness.Command(offer)); err != nil {
		t.Fatal(err)
	}
	waitReason(ctx, t, ada, "rejected")
	ready(ctx, t, bob)
	offered(ctx, t, bob, first)
	waitReason(ctx, t, bob, "no_answer")
	ready(ctx, t, ada)
	offer = offered(ctx, t, ada, first)
	leg, err := ada.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	talk(ctx, t, first.Call, leg, 400, 1000)
	finish(ctx, t, ada, offer)
	leg.Close()
	offered(ctx, t, ada, second)
	second.Hangup(ctx)
	if err := ada.WaitFree(ctx); err != nil {
		t.Fatal(err)
	}
	outcomes := []string{}
	for _, e := range recordOf(ctx, t, tn, first.number).GetEvents() {
		if e.GetKind() == "offer_ended" {
			outcomes = append(outcomes, e.GetParams()["outcome"])
		}
	}
	if fmt.Sprint(outcomes) != "[rejected no_answer]" {
		t.Errorf("offers of %s ended %v", first.number, outcomes)
	}
	rec := recordOf(ctx, t, tn, second.number)
	if rec.GetEndedBy() != "caller" || rec.GetTalkMs() != 0 {
		t.Errorf("the record of %s: %v", second.number, rec)
	}
}

// TestCallerHangsUp: at each stage of a call the record says what was, and the
// agent is free.
func TestCallerHangsUp(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	ada := tn.desk(ctx, t, "ada", 1)

	menu := tn.dialFrom(ctx, t, ua, 0, tn.caller(1), nil)
	eventually(ctx, t, "the greeting begins", func() error { return speaks(menu) })
	menu.Hangup(ctx)

	queue := tn.wait(ctx, t, ua, ada, 2)
	queue.Hangup(ctx)
	if err := ada.WaitWaiting(ctx, 0); err != nil {
		t.Fatal(err)
	}

	ready(ctx, t, ada)
	ringing := tn.dialFrom(ctx, t, ua, 2, tn.caller(3), nil)
	ringing.Press("1")
	offered(ctx, t, ada, caller{Call: ringing, number: tn.caller(3)})
	ringing.Hangup(ctx)
	if err := ada.WaitFree(ctx); err != nil {
		t.Fatal(err)
	}

	talking := tn.dialFrom(ctx, t, ua, 0, tn.caller(4), tone(400))
	talking.Press("1")
	offer := offered(ctx, t, ada, caller{Call: talking, number: tn.caller(4)})
	leg, err := ada.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	talk(ctx, t, talking, leg, 400, 1000)
	talking.Hangup(ctx)
	wrapUp(ctx, t, ada, offer)
	if err := ada.WaitFree(ctx); err != nil {
		t.Fatal(err)
	}

	for n, want := range map[int]string{1: "self_service", 2: "abandoned_short", 3: "abandoned_short", 4: "answered"} {
		rec := recordOf(ctx, t, tn, tn.caller(n))
		if rec.GetOutcome() != want || rec.GetEndedBy() != "caller" {
			t.Errorf("call %d: want %s by the caller: %v", n, want, rec)
		}
	}
	for _, n := range c.Nodes {
		eventually(ctx, t, "no call is left at "+n.Name, func() error {
			s, err := statusOf(ctx, n)
			if err == nil && s.Calls != 0 {
				err = fmt.Errorf("%d calls", s.Calls)
			}
			return err
		})
	}
}

// offerTimeout sets how long the tenant's agents are rung.
func (tn *tenant) offerTimeout(ctx context.Context, t *testing.T, rings time.Duration) {
	t.Helper()
	tn.editQueue(ctx, t, func(q *cloudv1.Queue) { q.OfferTimeoutS = uint32(rings.Seconds()) })
}

// editQueue changes the rules of the tenant's first queue.
func (tn *tenant) editQueue(ctx context.Context, t *testing.T, edit func(*cloudv1.Queue)) {
	t.Helper()
	list, err := tn.owner.Routing().ListQueues(ctx, &cloudv1.ListQueuesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	q := list.GetQueues()[0]
	edit(q)
	if _, err := tn.owner.Routing().SaveQueue(ctx, &cloudv1.SaveQueueRequest{Queue: q}); err != nil {
		t.Fatal(err)
	}
}

func (tn *tenant) caller(i int) string { return fmt.Sprintf("+49301%06d", i) }

// wait calls at one of the nodes and waits until the caller stands in the queue.
func (tn *tenant) wait(ctx context.Context, t *testing.T, ua *carrier.Carrier, d *harness.Desk, i int) caller {
	t.Helper()
	before := d.Waiting()
	node := i % len(tn.c.Nodes)
	got := caller{Call: tn.dialFrom(ctx, t, ua, node, tn.caller(i), tone(400)), number: tn.caller(i), node: node}
	got.Press("1")
	if err := d.WaitWaiting(ctx, before+1); err != nil {
		t.Fatal(err)
	}
	return got
}

// offered waits for an offer, which must be of the given caller.
func offered(ctx context.Context, t *testing.T, d *harness.Desk, who caller) *agentv1.Call {
	t.Helper()
	offer, err := d.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED)
	if err != nil {
		t.Fatal(err)
	}
	if offer.GetCaller() != who.number {
		t.Fatalf("%s is offered %s, want %s", d.Person.Name, offer.GetCaller(), who.number)
	}
	return offer
}

func ready(ctx context.Context, t *testing.T, d *harness.Desk) {
	t.Helper()
	if err := d.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func notReady(ctx context.Context, t *testing.T, d *harness.Desk, reason string) {
	t.Helper()
	if err := d.NotReady(ctx, reason); err != nil {
		t.Fatal(err)
	}
}

func waitReason(ctx context.Context, t *testing.T, d *harness.Desk, reason string) {
	t.Helper()
	if err := d.WaitNotReady(ctx, reason); err != nil {
		t.Fatal(err)
	}
}

// recordOf waits for the one record of calls from the number.
func recordOf(ctx context.Context, t *testing.T, tn *tenant, number string) *cloudv1.Call {
	t.Helper()
	var rec *cloudv1.Call
	eventually(ctx, t, "the record of "+number, func() error {
		recs, err := recordsOf(ctx, tn, number)
		if err == nil && len(recs) != 1 {
			err = fmt.Errorf("%d records", len(recs))
		}
		if err == nil {
			rec, err = getCall(ctx, tn, recs[0].GetId())
		}
		return err
	})
	return rec
}

func getCall(ctx context.Context, tn *tenant, id string) (*cloudv1.Call, error) {
	return tn.owner.Calls().GetCall(ctx, &cloudv1.GetCallRequest{Id: id})
}
