package replica

import (
	"fmt"
	"testing"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// talk brings a call from the queue into a conversation.
func (f *floor) talk(id, agent string) {
	f.t.Helper()
	f.queue(id)
	f.pass(10)
	f.offer(id, agent)
	f.pass(3)
	f.ok(call.Connect{CallID: id, AgentID: agent})
	f.pass(60)
}

func transfer(id, by, to string) call.TransferCall {
	return call.TransferCall{CallID: id, By: by, AgentID: to, Timeout: 15 * second, WrapUp: 20 * second}
}

func TestTransferToAQueue(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.ok(call.Hold{CallID: "c1", On: true})
	f.pass(5)
	f.refused(call.RefusedNotFound, call.TransferCall{CallID: "c1", By: "ben", QueueID: "q2"})
	f.refused(call.RefusedState, call.TransferCall{CallID: "c1", By: "ann"})
	f.refused(call.RefusedState, call.TransferCall{CallID: "c1", By: "ann", QueueID: "q2", AgentID: "ben"})
	cmd := call.TransferCall{CallID: "c1", By: "ann", QueueID: "q2", WrapUp: 20 * second}
	first := f.doKey("once", cmd)
	if again := f.doKey("once", cmd); first.Refused != "" || again.Refused != "" || again.Index != first.Index {
		t.Fatalf("first %+v, again %+v", first, again)
	}
	f.refused(call.RefusedNotFound, cmd) // under another key: it is no longer hers

	c, ann := f.call("c1"), f.agent("ann")
	if c.Phase != call.PhaseQueued || c.QueueID != "q2" || c.EnqueuedAt != f.at || c.WaitingSince() != f.at || c.AgentID != "" || c.Held {
		t.Errorf("%+v", c)
	}
	if ann.State != call.AgentWrapUp || ann.WrapDeadline != f.at+20*second || ann.LastCall.EndReason != "transferred" || ann.CallID != "" {
		t.Errorf("%+v", ann)
	}
	// Her wrap-up is over before the call is: its fact waits for the call's.
	f.pass(4)
	f.ok(call.WrapUpSave{AgentID: "ann", CallID: "c1", Code: "wrong_queue"})
	f.ok(call.WrapUpEnd{AgentID: "ann", CallID: "c1"})
	if w := facts[edgev1.WrapUp](f, "wrap_up"); len(w) != 0 {
		t.Errorf("%v", w)
	}
	f.ready("ben", "q2")
	f.offer("c1", "ben")
	f.ok(call.Connect{CallID: "c1", AgentID: "ben"})
	f.pass(30)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})

	rec := facts[edgev1.CallRecord](f, "call")[0]
	if len(rec.GetTalks()) != 2 || rec.GetTalks()[0].GetHeldUs() != 5*second || rec.GetTalks()[1].GetAgentId() != "ben" ||
		rec.GetTalks()[0].GetEndedAt() != rec.GetQueueVisits()[1].GetEnqueuedAt() || rec.GetTalks()[1].GetEndedAt() != f.at {
		t.Errorf("%v", rec)
	}
	if x := rec.GetTransfers(); len(x) != 1 || x[0].GetByAgent() != "ann" || x[0].GetQueueId() != "q2" || x[0].GetOutcome() != "queued" {
		t.Errorf("%v", x)
	}
	kinds := ""
	for _, x := range f.view().Outbox(1, 0, 0, 100) {
		if x.GetKind() != "agent_interval" {
			kinds += x.GetKind() + " "
		}
	}
	if kinds != "call wrap_up " {
		t.Errorf("facts: %s", kinds)
	}
	if w := facts[edgev1.WrapUp](f, "wrap_up"); w[0].GetCode() != "wrong_queue" || w[0].GetEndedAt()-w[0].GetStartedAt() != 4*second {
		t.Errorf("%v", w)
	}
	for _, d := range f.view().QueueDays(1) {
		if d.Offered != 1 || d.Answered != 1 {
			t.Errorf("%+v", d)
		}
	}
	for _, who := range []string{"ann", "ben"} {
		if n := f.agent(who).Day.Handled; n != 1 {
			t.Errorf("%s handled %d", who, n)
		}
	}
}

func TestTransferToAFullQueue(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.start("c2")
	f.ok(call.Enqueue{CallID: "c2", QueueID: "q2"})
	f.refused(call.RefusedLimit, call.TransferCall{CallID: "c1", By: "ann", QueueID: "q2", MaxWaiting: 1})
	if c := f.call("c1"); c.Phase != call.PhaseTalking || c.AgentID != "ann" {
		t.Errorf("%+v", c)
	}
}

func TestTransferToAnAgent(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.ready("ben", "q2")
	f.ok(call.SetAgentState{AgentID: "ben", State: call.AgentNotReady, Reason: "lunch"})
	f.refused(call.RefusedState, transfer("c1", "ann", "ann"))
	f.refused(call.RefusedNotFound, transfer("c1", "ann", "nobody"))
	f.ok(transfer("c1", "ann", "ben"))
	c, ben := f.call("c1"), f.agent("ben")
	if c.Phase != call.PhaseOffered || !c.Direct || c.AgentID != "ben" || c.OfferDeadline != f.at+15*second || ben.State != call.AgentReserved {
		t.Fatalf("%+v %+v", c, ben)
	}
	if v := f.view(); v.Waiting(1, "q") != 0 || v.Position("c1") != 0 {
		t.Error("the call waits in a queue")
	}
	f.pass(5)
	f.ok(call.Connect{CallID: "c1", AgentID: "ben"})
	f.pass(20)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "agent"})
	f.ok(call.WrapUpEnd{AgentID: "ben", CallID: "c1"})
	if ben = f.agent("ben"); ben.State != call.AgentNotReady || ben.Reason != "lunch" {
		t.Errorf("%+v", ben) // back at lunch
	}
	rec := facts[edgev1.CallRecord](f, "call")[0]
	if len(rec.GetQueueVisits()) != 1 || len(rec.GetTalks()) != 2 || rec.GetTransfers()[0].GetOutcome() != "accepted" {
		t.Errorf("%v", rec)
	}
	if d := f.view().QueueDays(1); len(d) != 1 || d[0].Offered != 1 || d[0].Answered != 1 {
		t.Errorf("%+v", d[0])
	}
}

// Whatever becomes of ringing the colleague, the caller stands first in the queue
// they came from.
func TestTransferNotAnswered(t *testing.T) {
	for _, x := range []struct {
		name    string
		end     func(f *floor)
		outcome string
		ben     string
	}{
		{"no answer", func(f *floor) { f.ok(call.OfferEnd{CallID: "c1", AgentID: "ben", Outcome: "no_answer"}) }, "no_answer", "not_ready no_answer"},
		{"rejected", func(f *floor) { f.ok(call.OfferEnd{CallID: "c1", AgentID: "ben", Outcome: "rejected"}) }, "rejected", "not_ready rejected"},
		{"signed out", func(f *floor) { f.ok(call.SignOut{Tenant: 1, AgentID: "ben"}) }, "agent_lost", "offline "},
		{"lost", func(f *floor) {
			f.ok(call.AgentStream{AgentID: "ben", Node: "a"})
			f.pass(11)
			f.ok(call.AgentLost{AgentID: "ben"})
		}, "agent_lost", "not_ready connection_lost"},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := newFloor(t)
			f.ready("ann", "q")
			f.talk("c1", "ann")
			f.ready("ben", "q2")
			f.start("c2")
			f.ok(call.Enqueue{CallID: "c2", QueueID: "q"})
			f.pass(1)
			f.ok(transfer("c1", "ann", "ben"))
			f.pass(15)
			x.end(f)
			c, ben := f.call("c1"), f.agent("ben")
			if c.Phase != call.PhaseQueued || c.Direct || c.QueueID != "q" || c.WaitingSince() != f.at || f.view().Position("c1") != 1 {
				t.Errorf("%+v", c)
			}
			if got := ben.State.String() + " " + ben.Reason; got != x.ben || ben.CallID != "" {
				t.Errorf("ben is %s with %q", got, ben.CallID)
			}
			f.pass(2)
			f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
			rec := facts[edgev1.CallRecord](f, "call")[0]
			if len(rec.GetQueueVisits()) != 2 || rec.GetTransfers()[0].GetOutcome() != x.outcome ||
				rec.GetQueueVisits()[1].GetLeftAt()-rec.GetQueueVisits()[1].GetEnqueuedAt() != 2*second {
				t.Errorf("%v", rec)
			}
			if d := f.view().QueueDays(1)[0]; d.Offered != 3 || d.Answered != 1 || d.AbandonedShort != 1 {
				t.Errorf("%+v", d) // c1 twice, c2 once
			}
		})
	}
}

func TestCallerGoesWhileAColleagueIsRung(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.ready("ben", "q2")
	since := f.agent("ben").ReadySince
	f.ok(transfer("c1", "ann", "ben"))
	f.pass(4)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
	if ben := f.agent("ben"); ben.State != call.AgentReady || ben.ReadySince != since {
		t.Errorf("%+v", ben)
	}
	rec := facts[edgev1.CallRecord](f, "call")[0]
	if rec.GetTransfers()[0].GetOutcome() != "caller_hung_up" || rec.GetTransfers()[0].GetEndedAt() != f.at || len(rec.GetQueueVisits()) != 1 {
		t.Errorf("%v", rec)
	}
}

func TestTransferToTheBusy(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	for name, busy := range map[string]func(id string){
		"talking":   func(id string) { f.ready(id, "q"); f.talk("of "+id, id) },
		"offline":   func(id string) { f.ready(id, "q"); f.ok(call.SignOut{Tenant: 1, AgentID: id}) },
		"no stream": func(id string) { f.ready(id, "q"); f.ok(call.AgentStream{AgentID: id, Node: "a"}) },
	} {
		busy(name)
		f.refused(call.RefusedBusy, transfer("c1", "ann", name))
	}
	f.ok(call.SignIn{Session: call.Session{Hash: []byte("x"), AgentID: "foreign", Tenant: 2, Expires: 3600 * second}})
	f.ok(call.AgentStream{AgentID: "foreign", Node: "a", On: true})
	f.refused(call.RefusedNotFound, transfer("c1", "ann", "foreign"))
	if c := f.call("c1"); c.Phase != call.PhaseTalking || c.AgentID != "ann" {
		t.Errorf("%+v", c)
	}
}

// The leader ends a colleague's ringing when the owner does not.
func TestTransferHasADeadline(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.ready("ben", "q2")
	f.ok(transfer("c1", "ann", "ben"))
	want := fmt.Sprint(deadline{f.at + 15*second + offerSafety, dueOffer, "c1"})
	found := false
	f.m.t.deadlines.Scan(func(d deadline) bool {
		found = found || fmt.Sprint(d) == want
		return true
	})
	if !found {
		t.Error("no deadline")
	}
}
