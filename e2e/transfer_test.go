package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestTransfer: a caller is passed to a colleague at another node, from there to
// a queue, answered again; a colleague who does not answer loses nobody. Who
// hears whom is told by the tone.
func TestTransfer(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	began := time.Now()
	tn := newTenant(ctx, t, c)
	tn.offerTimeout(ctx, t, 15*time.Second)
	ada, ben := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "ben", 2)

	who := tn.wait(ctx, t, ua, ada, 0)
	ready(ctx, t, ada)
	offer := offered(ctx, t, ada, who)
	adasLeg, err := ada.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer adasLeg.Close()
	talk(ctx, t, who.Call, adasLeg, 400, 1000)

	// Ben is not ready, but his desktop is open: he can be asked.
	canAsk(ctx, t, ada, ben)
	pass := &agentv1.TransferRequest{CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), AgentId: ben.Agent().GetId()}
	at := time.Now()
	if _, err := ada.At(c.Nodes[1].Ready.Web).Transfer(ctx, pass); err != nil {
		t.Fatal(err)
	}
	t.Logf("FIGURE transfer_answer_ms %d ms", time.Since(at).Milliseconds())
	// The answer was lost: the same again, at another node, is the same transfer.
	if _, err := ada.At(c.Nodes[2].Ready.Web).Transfer(ctx, pass); err != nil {
		t.Fatal(err)
	}
	bens := offered(ctx, t, ben, who)
	if bens.GetTransferredBy() != ada.Agent().GetName() {
		t.Errorf("the offer says it is passed on by %q", bens.GetTransferredBy())
	}
	wrapUp(ctx, t, ada, offer) // before the call is over
	bensLeg, err := ben.Answer(ctx, bens, tone(1500))
	if err != nil {
		t.Fatal(err)
	}
	defer bensLeg.Close()
	talk(ctx, t, who.Call, bensLeg, 400, 1500)

	// Back through the queue: Ada is ready there.
	queues, err := tn.owner.Routing().ListQueues(ctx, &cloudv1.ListQueuesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	queue := queues.GetQueues()[0].GetId()
	if _, err := ben.At(c.Nodes[2].Ready.Web).Transfer(ctx, &agentv1.TransferRequest{
		CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), QueueId: queue,
	}); err != nil {
		t.Fatal(err)
	}
	again := offered(ctx, t, ada, who)
	secondLeg, err := ada.Answer(ctx, again, tone(2000))
	if err != nil {
		t.Fatal(err)
	}
	defer secondLeg.Close()
	talk(ctx, t, who.Call, secondLeg, 400, 2000)
	wrapUp(ctx, t, ben, offer)

	tn.unansweredTransfer(ctx, t, who, ada, ben, again)
	tn.transferRecord(ctx, t, who, began)
}

// unansweredTransfer: Ben does not answer, the caller is first in the queue again.
func (tn *tenant) unansweredTransfer(ctx context.Context, t *testing.T, who caller, ada, ben *harness.Desk, c *agentv1.Call) {
	t.Helper()
	notReady(ctx, t, ada, "") // after her wrap-up
	if _, err := ada.At(c.GetNodeUrl()).Transfer(ctx, &agentv1.TransferRequest{
		CallId: c.GetId(), IdempotencyKey: uuid.NewString(), AgentId: ben.Agent().GetId(),
	}); err != nil {
		t.Fatal(err)
	}
	offered(ctx, t, ben, who)
	wrapUp(ctx, t, ada, c)
	eventually(ctx, t, "the caller waits in the queue again", func() error {
		if n := ada.Waiting(); n != 1 {
			return fmt.Errorf("%d wait", n)
		}
		return speaks(who.Call)
	})
	ready(ctx, t, ada)
	last := offered(ctx, t, ada, who)
	leg, err := ada.Answer(ctx, last, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	talk(ctx, t, who.Call, leg, 400, 1000)
	// Nobody is rung who is not there, and the caller stays.
	for _, x := range []*agentv1.TransferRequest{
		{AgentId: uuid.NewString()}, {QueueId: uuid.NewString()}, {}, {AgentId: ada.Agent().GetId()},
	} {
		x.CallId, x.IdempotencyKey = c.GetId(), uuid.NewString()
		if _, err := ada.At(last.GetNodeUrl()).Transfer(ctx, x); err == nil {
			t.Errorf("%v was done", x)
		}
	}
	talk(ctx, t, who.Call, leg, 400, 1000)
	finish(ctx, t, ada, last)
	leg.Close()
}

// transferRecord: each talk, transfer and wrap-up once, and the report counts.
func (tn *tenant) transferRecord(ctx context.Context, t *testing.T, who caller, began time.Time) {
	t.Helper()
	kinds := map[string]int{}
	eventually(ctx, t, "the record is whole", func() error {
		clear(kinds)
		for _, e := range recordOf(ctx, t, tn, who.number).GetEvents() {
			kinds[e.GetKind()]++
		}
		if kinds["talking"] != 4 || kinds["transferred"] != 3 || kinds["transfer_ended"] != 1 || kinds["wrap_up"] != 4 || kinds["queued"] != 3 {
			return fmt.Errorf("%v", kinds)
		}
		return nil
	})
	eventually(ctx, t, "the report counts three stays", func() error {
		r, err := tn.owner.Reports().QueueReport(ctx, &cloudv1.QueueReportRequest{
			From: timestamppb.New(began.Add(-time.Hour)), To: timestamppb.New(began.Add(time.Hour)),
		})
		if err == nil && (r.GetTotal().GetOffered() != 3 || r.GetTotal().GetAnswered() != 3) {
			err = fmt.Errorf("total %v", r.GetTotal())
		}
		return err
	})
	checkRecording(ctx, t, tn, recordOf(ctx, t, tn, who.number).GetId(), 1000)
}

// canAsk waits until one agent sees that the other can be rung.
func canAsk(ctx context.Context, t *testing.T, d, other *harness.Desk) {
	t.Helper()
	eventually(ctx, t, other.Person.Name+" can be rung", func() error {
		list, err := d.At(d.Home()).ListTargets(ctx, &agentv1.ListTargetsRequest{Query: other.Person.Name})
		if err != nil {
			return err
		}
		if len(list.GetAgents()) != 1 || list.GetAgents()[0].GetId() != other.Agent().GetId() || !list.GetAgents()[0].GetRingable() {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
}
