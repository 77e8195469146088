package replica

import (
	"testing"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func consult(by, whom string) call.ConsultCall {
	return call.ConsultCall{CallID: "c1", By: by, AgentID: whom, Timeout: 15 * second}
}

// asking: Ann talks with the caller and asks Ben, who is not ready.
func asking(t *testing.T) *floor {
	f := newFloor(t)
	f.ready("ann", "q")
	f.ready("ben", "q")
	f.ok(call.SetAgentState{AgentID: "ben", State: call.AgentNotReady, Reason: "lunch"})
	f.talk("c1", "ann")
	f.ok(consult("ann", "ben"))
	f.pass(5)
	return f
}

func (f *floor) states(want map[string]call.AgentState) {
	f.t.Helper()
	for id, state := range want {
		if g := f.agent(id); g.State != state {
			f.t.Errorf("%s is %s, not %s", id, g.State, state)
		}
	}
}

func TestConsultIsCompleted(t *testing.T) {
	f := asking(t)
	if c := f.call("c1"); !c.Held || c.Consulted() != "ben" || c.Consult.Joined() || c.OfferDeadline != c.OfferedAt+15*second || c.AgentID != "ann" {
		t.Errorf("%+v", c)
	}
	f.states(map[string]call.AgentState{"ann": call.AgentHeld, "ben": call.AgentReserved})
	f.refused(call.RefusedState, consult("ann", "ben"))
	f.refused(call.RefusedState, call.TransferCall{CallID: "c1", By: "ann", QueueID: "q2"})
	f.refused(call.RefusedNotFound, call.ConsultEnd{CallID: "c1", By: "ben", Outcome: "cancelled"})
	f.refused(call.RefusedState, call.ConsultJoin{CallID: "c1", AgentID: "ann"})

	f.ok(call.ConsultJoin{CallID: "c1", AgentID: "ben"})
	joined := f.at
	f.refused(call.RefusedState, call.ConsultJoin{CallID: "c1", AgentID: "ben"})
	f.states(map[string]call.AgentState{"ann": call.AgentHeld, "ben": call.AgentTalking})
	f.pass(10)
	f.ok(call.Hold{CallID: "c1", On: false}) // to the caller and back
	f.states(map[string]call.AgentState{"ann": call.AgentTalking, "ben": call.AgentTalking})
	f.pass(2)
	f.ok(call.Hold{CallID: "c1", On: true})
	f.pass(3)
	f.ok(transfer("c1", "ann", "ben"))
	f.states(map[string]call.AgentState{"ann": call.AgentWrapUp, "ben": call.AgentTalking})
	if c := f.call("c1"); c.AgentID != "ben" || c.Held || c.Consult != nil || c.Phase != call.PhaseTalking || c.Direct || c.TalkingSince != f.at {
		t.Errorf("%+v", c)
	}
	f.refused(call.RefusedNotFound, transfer("c1", "ann", "ben"))
	f.pass(20)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller", WrapUp: 20 * second})
	f.states(map[string]call.AgentState{"ben": call.AgentWrapUp})

	rec := facts[edgev1.CallRecord](f, "call")[0]
	x, talks := rec.GetTransfers(), rec.GetTalks()
	if len(x) != 2 || !x[0].GetConsult() || x[0].GetOutcome() != "completed" || x[0].GetAnsweredAt() != joined || x[0].GetByAgent() != "ann" ||
		x[1].GetConsult() || x[1].GetOutcome() != "accepted" || x[1].GetAgentId() != "ben" || x[1].GetAt() != x[1].GetEndedAt() {
		t.Errorf("%v", x)
	}
	if len(talks) != 2 || talks[0].GetHeldUs() != 18*second || talks[1].GetAgentId() != "ben" || talks[1].GetEndedAt()-talks[1].GetStartedAt() != 20*second {
		t.Errorf("%v", talks)
	}
	f.ok(call.WrapUpEnd{AgentID: "ben", CallID: "c1"})
	f.states(map[string]call.AgentState{"ben": call.AgentNotReady}) // as before
}

// TestConsultIsHandedOverWhileItRings: the colleague is rung on, as in any transfer.
func TestConsultIsHandedOverWhileItRings(t *testing.T) {
	f := asking(t)
	until := f.call("c1").OfferDeadline
	f.ok(transfer("c1", "ann", "ben"))
	if c := f.call("c1"); c.Phase != call.PhaseOffered || !c.Direct || c.AgentID != "ben" || c.OfferDeadline != until || c.Held {
		t.Errorf("%+v", c)
	}
	f.ok(call.OfferEnd{CallID: "c1", AgentID: "ben", Outcome: call.ReasonNoAnswer})
	f.states(map[string]call.AgentState{"ann": call.AgentWrapUp, "ben": call.AgentNotReady})
	if c := f.call("c1"); c.Phase != call.PhaseQueued || c.QueueID != "q" {
		t.Errorf("%+v", c)
	}
}

// TestConsultEnds: however it ends, the caller stays with the agent, and the
// colleague is what they were.
func TestConsultEnds(t *testing.T) {
	for name, x := range map[string]struct {
		join bool
		cmd  call.Command
		held bool
		ann  call.AgentState
		ben  call.AgentState
		want string
	}{
		"cancelled while it rings": {false, call.ConsultEnd{CallID: "c1", By: "ann", Outcome: "cancelled"}, false, call.AgentTalking, call.AgentNotReady, "cancelled"},
		"cancelled after it":       {true, call.ConsultEnd{CallID: "c1", By: "ann", Outcome: "cancelled"}, false, call.AgentTalking, call.AgentNotReady, "cancelled"},
		"declined":                 {false, call.ConsultEnd{CallID: "c1", AgentID: "ben", Outcome: call.ReasonRejected}, true, call.AgentHeld, call.AgentNotReady, "rejected"},
		"not answered":             {false, call.ConsultEnd{CallID: "c1", AgentID: "ben", Outcome: call.ReasonNoAnswer}, true, call.AgentHeld, call.AgentNotReady, "no_answer"},
		"the colleague leaves":     {true, call.ConsultEnd{CallID: "c1", AgentID: "ben", Outcome: "left"}, true, call.AgentHeld, call.AgentNotReady, "left"},
		"signs out":                {false, call.SignOut{Tenant: 1, AgentID: "ben"}, true, call.AgentHeld, call.AgentOffline, "agent_lost"},
	} {
		t.Run(name, func(t *testing.T) {
			f := asking(t)
			if x.join {
				f.ok(call.ConsultJoin{CallID: "c1", AgentID: "ben"})
				f.pass(5)
			}
			f.ok(x.cmd)
			if c := f.call("c1"); c.Consult != nil || c.Held != x.held || c.AgentID != "ann" || c.Phase != call.PhaseTalking || c.OfferDeadline != 0 {
				t.Errorf("%+v", c)
			}
			f.states(map[string]call.AgentState{"ann": x.ann, "ben": x.ben})
			f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
			if got := facts[edgev1.CallRecord](f, "call")[0].GetTransfers()[0].GetOutcome(); got != x.want {
				t.Errorf("told as %q", got)
			}
		})
	}
}

// TestCallerHangsUpDuringConsult: both agents are free of the call.
func TestCallerHangsUpDuringConsult(t *testing.T) {
	for _, joined := range []bool{false, true} {
		f := asking(t)
		if joined {
			f.ok(call.ConsultJoin{CallID: "c1", AgentID: "ben"})
		}
		f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller", WrapUp: 20 * second})
		f.states(map[string]call.AgentState{"ann": call.AgentWrapUp, "ben": call.AgentNotReady})
		if x := facts[edgev1.CallRecord](f, "call")[0].GetTransfers()[0]; x.GetOutcome() != "caller_hung_up" || x.GetEndedAt() != f.at {
			t.Errorf("%v", x)
		}
	}
}

// TestWhoCannotBeAsked is TestTransfer's rule: nobody who is busy, strange or away.
func TestWhoCannotBeAsked(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.talk("c1", "ann")
	f.refused(call.RefusedNotFound, consult("ann", "nobody"))
	f.refused(call.RefusedState, consult("ann", "ann"))
	f.refused(call.RefusedNotFound, consult("ben", "ann"))
	f.ready("ben", "q")
	f.talk("c2", "ben")
	f.refused(call.RefusedBusy, consult("ann", "ben"))
	if c := f.call("c1"); c.Held || len(c.Transfers) != 0 {
		t.Errorf("%+v", c)
	}
}
