package replica

import (
	"testing"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const outsideNumber = "+4930555"

// passOut brings a call from a conversation with ann to a number outside.
func (f *floor) passOut() {
	f.t.Helper()
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.ok(toNumber("c1"))
}

func toNumber(id string) call.TransferCall {
	return call.TransferCall{CallID: id, By: "ann", Number: outsideNumber, Timeout: 30 * second, WrapUp: 20 * second, MaxOutside: 1}
}

func TestTransferToANumber(t *testing.T) {
	f := newFloor(t)
	f.passOut()
	c, ann := f.call("c1"), f.agent("ann")
	if c.Phase != call.PhaseOutside || c.Outside.Number != outsideNumber || c.Outside.AnsweredAt != 0 || c.AgentID != "" ||
		c.OfferDeadline != f.at+30*second || c.QueueID != "q" {
		t.Errorf("%+v", c)
	}
	if ann.State != call.AgentWrapUp || ann.LastCall.EndReason != "transferred" || ann.CallID != "" {
		t.Errorf("%+v", ann)
	}
	if v := f.view(); v.Waiting(1, "q") != 0 || v.Position("c1") != 0 {
		t.Error("the call waits in a queue")
	}
	f.refused(call.RefusedState, call.Dialog{CallID: "c1", Dialog: []byte("x"), Outside: true}) // nothing to go on with yet
	f.pass(5)
	f.ok(call.OutsideAnswered{CallID: "c1", Dialog: []byte("there")})
	f.refused(call.RefusedState, call.OutsideAnswered{CallID: "c1"})
	answered := f.at
	f.ok(call.Dialog{CallID: "c1", Dialog: []byte("here")})
	f.ok(call.Dialog{CallID: "c1", Dialog: []byte("there again"), Outside: true})
	c = f.call("c1")
	if c.Outside.AnsweredAt != answered || string(c.Outside.Dialog) != "there again" || string(c.Dialog) != "here" || c.OfferDeadline != 0 {
		t.Errorf("%+v %+v", c, c.Outside)
	}
	f.pass(60)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "outside", Reason: "hung_up"})
	rec := facts[edgev1.CallRecord](f, "call")[0]
	x := rec.GetTransfers()
	if len(x) != 1 || x[0].GetNumber() != outsideNumber || x[0].GetOutcome() != "accepted" || x[0].GetEndedAt() != answered || x[0].GetByAgent() != "ann" {
		t.Errorf("%v", x)
	}
	if len(rec.GetTalks()) != 1 || len(rec.GetQueueVisits()) != 1 || rec.GetEndedBy() != "outside" {
		t.Errorf("%v", rec)
	}
	if d := f.view().QueueDays(1)[0]; d.Offered != 1 || d.Answered != 1 || d.Abandoned+d.AbandonedShort != 0 {
		t.Errorf("%+v", d)
	}
}

// Whatever becomes of the number, the caller stands first in the queue they came
// from, and is served from there like anybody.
func TestNumberNotReached(t *testing.T) {
	for _, answered := range []bool{false, true} {
		f := newFloor(t)
		f.passOut()
		f.start("c2")
		f.ok(call.Enqueue{CallID: "c2", QueueID: "q"})
		f.pass(5)
		want := "busy"
		if answered {
			want = "accepted"
			f.ok(call.OutsideAnswered{CallID: "c1", Dialog: []byte("there")})
			f.pass(5)
		}
		f.ok(call.OutsideEnd{CallID: "c1", Outcome: "busy"})
		f.refused(call.RefusedState, call.OutsideEnd{CallID: "c1", Outcome: "busy"})
		c := f.call("c1")
		if c.Phase != call.PhaseQueued || c.Outside != nil || c.QueueID != "q" || c.WaitingSince() != f.at || f.view().Position("c1") != 1 {
			t.Errorf("answered %t: %+v", answered, c)
		}
		f.ready("ben", "q")
		f.offer("c1", "ben")
		f.ok(call.Connect{CallID: "c1", AgentID: "ben"})
		f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
		rec := facts[edgev1.CallRecord](f, "call")[0]
		if len(rec.GetQueueVisits()) != 2 || len(rec.GetTalks()) != 2 || rec.GetTransfers()[0].GetOutcome() != want {
			t.Errorf("answered %t: %v", answered, rec)
		}
	}
}

func TestCallerGoesWhileANumberRings(t *testing.T) {
	for by, want := range map[string]string{"caller": "caller_hung_up", "lost": "call_lost"} {
		f := newFloor(t)
		f.passOut()
		f.pass(4)
		f.ok(call.CallEnd{CallID: "c1", EndedBy: by})
		x := facts[edgev1.CallRecord](f, "call")[0].GetTransfers()[0]
		if x.GetOutcome() != want || x.GetEndedAt() != f.at {
			t.Errorf("ended by %s: %v", by, x)
		}
	}
}

func TestTransferToANumberRefused(t *testing.T) {
	f := newFloor(t)
	f.passOut()
	f.ready("ben", "q")
	f.talk("c2", "ben")
	to := toNumber("c2")
	to.By = "ben"
	f.refused(call.RefusedLimit, to) // one at a time, and c1 is outside
	for _, wrong := range []func(*call.TransferCall){
		func(x *call.TransferCall) { x.Timeout = 0 },
		func(x *call.TransferCall) { x.QueueID = "q2" },
		func(x *call.TransferCall) { x.AgentID = "ann" },
	} {
		bad := to
		bad.MaxOutside = 0
		wrong(&bad)
		f.refused(call.RefusedState, bad)
	}
	f.refused(call.RefusedNotFound, call.OutsideEnd{CallID: "none"})
	f.refused(call.RefusedState, call.OutsideEnd{CallID: "c2"})
	f.refused(call.RefusedState, call.OutsideAnswered{CallID: "c2"})
	if c := f.call("c2"); c.Phase != call.PhaseTalking || c.AgentID != "ben" {
		t.Errorf("%+v", c)
	}
	f.ok(call.OutsideEnd{CallID: "c1", Outcome: "busy"})
	f.ok(to)
}

// The leader ends the ringing when the owner does not.
func TestANumberHasADeadline(t *testing.T) {
	f := newFloor(t)
	f.passOut()
	var got call.Command
	f.m.t.deadlines.Scan(func(d deadline) bool {
		if d.kind == dueOffer && d.at == f.at+30*second+offerSafety {
			got = overdue(f.view(), d, f.at, false)
		}
		return true
	})
	if got != (call.OutsideEnd{CallID: "c1", Outcome: "no_answer"}) {
		t.Errorf("proposes %+v", got)
	}
}

// An older node must not be given what it does not know.
func TestANumberNeedsTheLevel(t *testing.T) {
	for cmd, want := range map[call.Command]call.Level{
		call.TransferCall{QueueID: "q"}: 2, toNumber("c1"): call.CallsOutside,
	} {
		if got := call.LevelOf(cmd); got != want {
			t.Errorf("%+v needs level %d, not %d", cmd, got, want)
		}
	}
	for _, cmd := range []call.Command{call.OutsideAnswered{}, call.OutsideEnd{}, call.Dialog{Outside: true}} {
		if got := call.LevelOf(cmd); got != call.CallsOutside {
			t.Errorf("%T needs level %d", cmd, got)
		}
	}
	if got := call.LevelOf(call.Dialog{}); got != 0 {
		t.Errorf("the caller's dialog needs level %d", got)
	}
}
