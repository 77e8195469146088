package switchboard

import (
	"strings"
	"testing"

	"trunkline/edge/call"
	"trunkline/edge/ivr"
)

// row feeds a row another one changed.
func (b *bench) changed(edit func(*call.Call)) rowChanged {
	edit(&b.row)
	b.row.Rev++
	return rowChanged{row: b.row}
}

// toConsult: a1 talks and asks a2, who is rung.
func (b *bench) toConsult() {
	b.t.Helper()
	b.toTalk()
	b.want(b.changed(func(c *call.Call) {
		c.Held, c.Consult, c.OfferDeadline = true, &call.Consult{AgentID: "a2"}, b.now+15_000_000
	}), "timer:offer unjoin music:hold_music agentHears:ringback")
}

// toAsking: a2 has answered.
func (b *bench) toAsking() {
	b.t.Helper()
	b.toConsult()
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "")
	b.want(b.ask(askAccept, "a2", false), "commit:ConsultJoin stop:offer agentHears: joinConsulted reply")
}

func TestToAndFro(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toAsking()
	b.want(b.ask(askAccept, "a2", false), "reply")
	b.want(b.ask(askHold, "a1", false), "commit:Hold reply partConsulted stopSay join consultedHears:hold_music")
	b.want(b.ask(askHold, "a1", true), "commit:Hold reply unjoin music:hold_music consultedHears: joinConsulted")
	if got := b.do(b.ask(askHangup, "a1", false)); !strings.HasPrefix(got, "reply:") || b.row.Phase != call.PhaseTalking {
		t.Errorf("the agent's hang-up: %s", got)
	}
	for _, k := range []askKind{askHold, askDigits} {
		if got := b.do(b.ask(k, "a2", true)); !strings.HasPrefix(got, "reply:") {
			t.Errorf("the colleague's %d: %s", k, got)
		}
	}
	// Passed on: the colleague's leg is the agent's now.
	b.want(b.changed(func(c *call.Call) { c.AgentID, c.Held, c.Consult = "a2", false, nil }),
		"partConsulted closeAgent promoteConsulted stopSay join")
	b.want(agentLegDown{legID: "l1"}, "")
	b.want(b.ask(askHold, "a2", true), "commit:Hold reply unjoin music:hold_music")
}

func TestConsultAnsweredBeforeTheLegIsUp(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toConsult()
	b.want(b.ask(askAccept, "a2", false), "")
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "commit:ConsultJoin stop:offer agentHears: joinConsulted reply")
}

// TestConsultEnds: whoever ends it, nobody is left with another's leg.
func TestConsultEnds(t *testing.T) {
	back := func(c *call.Call) { c.Consult, c.Held, c.OfferDeadline = nil, false, 0 }
	for name, x := range map[string]struct {
		asking bool
		ev     func(b *bench) event
		want   string
	}{
		"cancelled while it rings": {false, func(b *bench) event { return b.changed(back) }, "stop:offer agentHears: stopSay join"},
		"cancelled":                {true, func(b *bench) event { return b.changed(back) }, "partConsulted closeConsulted stopSay join"},
		"left":                     {true, func(b *bench) event { return b.ask(askHangup, "a2", false) }, "commit:ConsultEnd reply partConsulted closeConsulted"},
		"declined":                 {false, func(b *bench) event { return b.ask(askReject, "a2", false) }, "commit:ConsultEnd reply stop:offer agentHears:"},
		"not answered": {false, func(b *bench) event {
			b.now = b.row.OfferDeadline
			return timer{kind: timerOffer, token: b.m.timers[timerOffer]}
		}, "commit:ConsultEnd agentHears:"},
		"the caller goes": {true, func(*bench) event { return callerGone{} }, "partConsulted stopSay commit:CallEnd closeAgent closeConsulted finish"},
		"taken away":      {true, func(b *bench) event { return b.changed(func(c *call.Call) { c.Owner = "n2" }) }, "abandon finish"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, QueueRules{})
			if b.toConsult(); x.asking {
				b = newBench(t, QueueRules{})
				b.toAsking()
			}
			b.want(x.ev(b), x.want)
		})
	}
}

// TestHandedOverWhileItRings: the colleague answers an offer, also when their
// answer crosses the agent's.
func TestHandedOverWhileItRings(t *testing.T) {
	give := func(c *call.Call) {
		c.Phase, c.Direct, c.AgentID, c.Held, c.Consult = call.PhaseOffered, true, "a2", false, nil
	}
	b := newBench(t, QueueRules{})
	b.toConsult()
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "")
	b.want(b.changed(give), "stop:offer closeAgent promoteConsulted music:music timer:offer")
	b.want(b.ask(askAccept, "a2", false), "stopSay join commit:Connect stop:offer reply")

	b = newBench(t, QueueRules{})
	b.toConsult()
	b.want(b.ask(askAccept, "a2", false), "")
	b.want(b.changed(give), "stop:offer closeAgent music:music timer:offer")
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "stopSay join commit:Connect stop:offer reply")
}

// TestBrowserIsAwayDuringConsult: whoever is left hears music, until it is back.
func TestBrowserIsAwayDuringConsult(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toAsking()
	b.want(agentLegDown{legID: "l2"}, "partConsulted agentHears:hold_music")
	b.want(agentLegUp{agentID: "a2", legID: "l3"}, "agentHears: joinConsulted")
	b.want(agentLegDown{legID: "l1"}, "partConsulted consultedHears:hold_music")
	b.want(agentLegUp{agentID: "a1", legID: "l4"}, "consultedHears: joinConsulted")
}

// TestTakeoverDuringConsult: the browsers come one after the other.
func TestTakeoverDuringConsult(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.row = call.Call{
		ID: "c1", Rev: 9, Owner: "n1", Phase: call.PhaseTalking, QueueID: "q1", AgentID: "a1", Held: true,
		Consult: &call.Consult{AgentID: "a2", JoinedAt: 1}, FlowState: ivr.State{Node: "support"}.Encode(),
	}
	b.want(restored{row: b.row}, "commit:Moved record music:hold_music")
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "consultedHears:hold_music")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "consultedHears: joinConsulted")

	b = newBench(t, QueueRules{})
	b.row = call.Call{
		ID: "c1", Rev: 9, Owner: "n1", Phase: call.PhaseTalking, QueueID: "q1", AgentID: "a1", Held: true, OfferDeadline: 5_000_000,
		Consult: &call.Consult{AgentID: "a2"}, FlowState: ivr.State{Node: "support"}.Encode(),
	}
	b.want(restored{row: b.row}, "commit:Moved record timer:offer music:hold_music")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "agentHears:ringback")
}
