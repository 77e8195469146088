package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// hzOutside is what a number outside says.
const hzOutside = 800

// outsider is a subscriber of the carrier whom callers are passed on to.
type outsider struct {
	number string
	rings  <-chan *carrier.Ring
}

func (tn *tenant) outsider(ua *carrier.Carrier, i int) outsider {
	number := fmt.Sprintf("+4930%s%02d", tn.number[len(tn.number)-6:], i)
	return outsider{number, ua.Expect(number)}
}

// rung waits until the telephone rings.
func (o outsider) rung(ctx context.Context, t *testing.T) *carrier.Ring {
	t.Helper()
	select {
	case r := <-o.rings:
		return r
	case <-ctx.Done():
		t.Fatalf("%s was not called", o.number)
		return nil
	}
}

// mayCall opens numbers of Berlin to the tenant, and waits until the site knows.
func (tn *tenant) mayCall(ctx context.Context, t *testing.T, d *harness.Desk) {
	t.Helper()
	if _, err := tn.c.CloudCommand(ctx, "", "dialling", "grant", "--tenant", tn.owner.Slug, "--calls", "5"); err != nil {
		t.Fatal(err)
	}
	if _, err := tn.owner.Routing().SaveDialling(ctx, &cloudv1.SaveDiallingRequest{Dialling: &cloudv1.Dialling{
		Enabled: true, Prefixes: []string{"+4930"}, MaxCalls: 5,
	}}); err != nil {
		t.Fatal(err)
	}
	for _, n := range tn.c.Nodes {
		eventually(ctx, t, n.Name+" may call outside", func() error {
			list, err := d.At(n.Ready.Web).ListTargets(ctx, &agentv1.ListTargetsRequest{Query: "030 123456"})
			if err == nil && (!list.GetNumber().GetCallable() || list.GetNumber().GetNumber() != "+4930123456") {
				err = fmt.Errorf("%v", list.GetNumber())
			}
			return err
		})
	}
}

// passOut brings a caller to the agent and gives them to the number.
func (tn *tenant) passOut(ctx context.Context, t *testing.T, ua *carrier.Carrier, d *harness.Desk, i int, number string) (caller, *agentv1.Call) {
	t.Helper()
	who := tn.wait(ctx, t, ua, d, i)
	ready(ctx, t, d)
	offer := offered(ctx, t, d, who)
	leg, err := d.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	talk(ctx, t, who.Call, leg, 400, 1000)
	if _, err := d.At(offer.GetNodeUrl()).Transfer(ctx, toNumber(offer, number)); err != nil {
		t.Fatal(err)
	}
	wrapUp(ctx, t, d, offer) // free at once, whatever becomes of the number
	return who, offer
}

func toNumber(c *agentv1.Call, number string) *agentv1.TransferRequest {
	return &agentv1.TransferRequest{CallId: c.GetId(), IdempotencyKey: uuid.NewString(), Number: number}
}

// backInQueue: the caller waits in the queue again, and an agent can serve them.
func (tn *tenant) backInQueue(ctx context.Context, t *testing.T, d *harness.Desk, who caller) {
	t.Helper()
	notReady(ctx, t, d, "")
	if err := d.WaitWaiting(ctx, 1); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, d)
	again := offered(ctx, t, d, who)
	leg, err := d.Answer(ctx, again, tone(2000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	talk(ctx, t, who.Call, leg, 400, 2000)
	finish(ctx, t, d, again)
	notReady(ctx, t, d, "")
}

// told checks what the record tells of the number.
func (tn *tenant) told(ctx context.Context, t *testing.T, who caller, want, endedBy string) {
	t.Helper()
	eventually(ctx, t, "the record of "+who.number, func() error {
		rec := recordOf(ctx, t, tn, who.number)
		var told []string
		for _, e := range rec.GetEvents() {
			if e.GetParams()["number"] != "" {
				told = append(told, strings.TrimSpace(e.GetKind()+" "+e.GetParams()["outcome"]))
			}
		}
		if got := strings.Join(told, ", "); got != want || rec.GetEndedBy() != endedBy {
			return fmt.Errorf("%q, ended by %s; want %q, ended by %s", got, rec.GetEndedBy(), want, endedBy)
		}
		return nil
	})
}

func connected(ctx context.Context, t *testing.T, a, b *carrier.Call, aHz, bHz float64) {
	t.Helper()
	eventually(ctx, t, "the number hears the caller", func() error { return hears(b.Heard().Audio, aHz) })
	eventually(ctx, t, "the caller hears the number", func() error { return hears(a.Heard().Audio, bHz) })
}

// TestOutside: a caller is passed on to a number outside, over the trunk; caller and
// number talk. Who hears whom is told by the tone.
func TestOutside(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	ada := tn.desk(ctx, t, "ada", 1)
	tn.notAllowed(ctx, t, ua, ada)
	tn.answeredOutside(ctx, t, ua, ada)
	tn.earlyMedia(ctx, t, ua, ada)
}

// TestOutsideNotReached: the number does not answer, for whatever reason, and the
// caller is not lost.
func TestOutsideNotReached(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	ada, ben := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "ben", 2)
	tn.mayCall(ctx, t, ada)

	// This one will ring until its time is over, while the others go on.
	silent := tn.outsider(ua, 1)
	patient, _ := tn.passOut(ctx, t, ua, ben, 1, silent.number)
	unanswered := silent.rung(ctx, t)
	notReady(ctx, t, ben, "")

	busy := tn.outsider(ua, 4)
	who, _ := tn.passOut(ctx, t, ua, ada, 4, busy.number)
	busy.rung(ctx, t).Refuse(486, "Busy Here")
	tn.backInQueue(ctx, t, ada, who)
	tn.told(ctx, t, who, "transferred, transfer_ended busy", "agent")

	// The caller gives up while it rings: so does the site.
	left := tn.outsider(ua, 5)
	who, _ = tn.passOut(ctx, t, ua, ada, 5, left.number)
	ring := left.rung(ctx, t)
	who.Hangup(ctx)
	until(ctx, t, ring.Gone(), "the number still rings")
	tn.told(ctx, t, who, "transferred, transfer_ended caller_hung_up", "caller")
	notReady(ctx, t, ada, "")

	until(ctx, t, unanswered.Gone(), "the number still rings")
	tn.backInQueue(ctx, t, ben, patient)
	tn.told(ctx, t, patient, "transferred, transfer_ended no_answer", "agent")
}

// until waits for what ends a call; otherwise says what did not happen.
func until(ctx context.Context, t *testing.T, over <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-over:
	case <-ctx.Done():
		t.Fatal(otherwise)
	}
}

// answeredOutside: both talk, all of it is recorded, and the number hangs up.
func (tn *tenant) answeredOutside(ctx context.Context, t *testing.T, ua *carrier.Carrier, d *harness.Desk) {
	t.Helper()
	o := tn.outsider(ua, 2)
	national := "0" + strings.TrimPrefix(o.number, "+49") // as an agent in that country types it
	who, _ := tn.passOut(ctx, t, ua, d, 2, national)
	ring := o.rung(ctx, t)
	if ring.From != tn.number {
		t.Errorf("the number sees %s call, not %s", ring.From, tn.number)
	}
	eventually(ctx, t, "the caller hears it ring", func() error { return hears(who.Heard().Audio, 425) })
	there, err := ring.Answer(tone(hzOutside))
	if err != nil {
		t.Fatal(err)
	}
	connected(ctx, t, who.Call, there, 400, hzOutside)
	hearsMore(ctx, t, who.Call, window) // the recording is looked at from its end
	connected(ctx, t, who.Call, there, 400, hzOutside)
	there.Hangup(ctx)
	until(ctx, t, who.Done(), "the caller's call is not over")
	tn.told(ctx, t, who, "transferred, outside_answered", "outside")
	checkRecording(ctx, t, tn, recordOf(ctx, t, tn, who.number).GetId(), hzOutside)
	notReady(ctx, t, d, "")
}

// earlyMedia: the called network speaks before the answer. The caller hangs up.
func (tn *tenant) earlyMedia(ctx context.Context, t *testing.T, ua *carrier.Carrier, d *harness.Desk) {
	t.Helper()
	o := tn.outsider(ua, 3)
	who, _ := tn.passOut(ctx, t, ua, d, 3, o.number)
	ring := o.rung(ctx, t)
	if err := ring.Speak(tone(700)); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the caller hears the network", func() error { return hears(who.Heard().Audio, 700) })
	there, err := ring.Answer(tone(hzOutside))
	if err != nil {
		t.Fatal(err)
	}
	connected(ctx, t, who.Call, there, 400, hzOutside)
	who.Hangup(ctx)
	until(ctx, t, there.Done(), "the number was not hung up")
	tn.told(ctx, t, who, "transferred, outside_answered", "caller")
	notReady(ctx, t, d, "")
}

// notAllowed: before anybody allows it nothing is called, later not everything; the
// caller stays with the agent.
func (tn *tenant) notAllowed(ctx context.Context, t *testing.T, ua *carrier.Carrier, d *harness.Desk) {
	t.Helper()
	o := tn.outsider(ua, 9)
	who := tn.wait(ctx, t, ua, d, 9)
	ready(ctx, t, d)
	offer := offered(ctx, t, d, who)
	leg, err := d.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	refused := func(number, key string) {
		t.Helper()
		_, err := d.At(offer.GetNodeUrl()).Transfer(ctx, toNumber(offer, number))
		if f := fault.Of(err); err == nil || f.Key != key {
			t.Errorf("%s: %v, want %s", number, err, key)
		}
	}
	refused(o.number, "fault.transfer.outside_off")
	tn.mayCall(ctx, t, d)
	refused("+43 1 50000", "fault.transfer.number_closed")
	refused("nobody", "fault.transfer.number_invalid")
	talk(ctx, t, who.Call, leg, 400, 1000)
	finish(ctx, t, d, offer)
	notReady(ctx, t, d, "")
	select {
	case <-o.rings:
		t.Error("a number was called that is not allowed")
	default:
	}
}

// TestChaosOutside: the node that owns a call with a number outside is killed; the
// next one goes on with both. A number that only rings is given up, and the caller
// waits in the queue.
func TestChaosOutside(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "outside", 3, "fast")
	tn := newTenant(ctx, t, c)
	ada := tn.desk(ctx, t, "ada", 1)
	tn.mayCall(ctx, t, ada)

	// Both are taken by the node to be killed: wait calls at node i % 3.
	talks, rings := tn.outsider(ua, 1), tn.outsider(ua, 2)
	talking, _ := tn.passOut(ctx, t, ua, ada, 3, talks.number)
	there, err := talks.rung(ctx, t).Answer(tone(hzOutside))
	if err != nil {
		t.Fatal(err)
	}
	connected(ctx, t, talking.Call, there, 400, hzOutside)
	ringing, _ := tn.passOut(ctx, t, ua, ada, 6, rings.number)
	rings.rung(ctx, t)
	notReady(ctx, t, ada, "")

	c.Process(c.Nodes[0]).Kill()
	killed := time.Now()
	eventually(ctx, t, "both are re-INVITEd", func() error {
		if talking.Moves() == 0 || there.Moves() == 0 || ringing.Moves() == 0 {
			return fmt.Errorf("%d, %d, %d moves", talking.Moves(), there.Moves(), ringing.Moves())
		}
		return nil
	})
	t.Logf("FIGURE outside_takeover_ms %d ms", time.Since(killed).Milliseconds())
	talking.Say(tone(600))
	connected(ctx, t, talking.Call, there, 600, hzOutside)
	talking.Hangup(ctx)
	until(ctx, t, there.Done(), "the number was not hung up")
	tn.told(ctx, t, talking, "transferred, outside_answered", "caller")
	tn.backInQueue(ctx, t, ada, ringing)
	tn.told(ctx, t, ringing, "transferred, transfer_ended call_lost", "agent")
}
