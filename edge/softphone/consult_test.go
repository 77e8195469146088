package softphone

import (
	"testing"

	"trunkline/edge/call"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// TestWhoSeesWhatOfAConsultation: the agent and the colleague look at one row.
func TestWhoSeesWhatOfAConsultation(t *testing.T) {
	const (
		offered, talking, held = agentv1.CallState_CALL_STATE_OFFERED, agentv1.CallState_CALL_STATE_TALKING, agentv1.CallState_CALL_STATE_HELD
		rings, talks           = agentv1.ConsultState_CONSULT_STATE_RINGING, agentv1.ConsultState_CONSULT_STATE_TALKING
		waits, over            = agentv1.ConsultState_CONSULT_STATE_WAITING, agentv1.ConsultState_CONSULT_STATE_ENDED
	)
	site := &lineSite{fakeSite: newFakeSite()}
	row := call.Call{
		ID: "c1", Tenant: 1, Phase: call.PhaseTalking, AgentID: "ann", TalkingSince: 5, OfferedAt: 9, OfferDeadline: 20, Segment: 1,
		Held: true, HeldSince: 9, Consult: &call.Consult{AgentID: "ben"},
		Transfers: []call.Transfer{{At: 1, By: "cy", AgentID: "ann", Outcome: "accepted"}, {At: 9, By: "ann", AgentID: "ben", Consult: true}},
	}
	see := func(viewer string, state agentv1.CallState, consult agentv1.ConsultState, with string) *agentv1.Call {
		t.Helper()
		m := callMessage(site, row, viewer)
		x := m.GetConsult()
		if m.GetState() != state || x.GetState() != consult || x.GetAgentId() != with || x.GetAsked() != (viewer == "ben" && consult != over) {
			t.Errorf("%s sees %s", viewer, m)
		}
		return m
	}
	if m := see("ann", held, rings, "ben"); m.GetOfferDeadline() != nil || !m.GetRecording() {
		t.Errorf("%s", m)
	}
	if m := see("ben", offered, rings, "ann"); m.GetOfferDeadline() == nil || m.GetRecording() || m.GetTalkingSince() != nil {
		t.Errorf("%s", m)
	}
	row.Consult, row.OfferedAt, row.OfferDeadline = &call.Consult{AgentID: "ben", JoinedAt: 12}, 0, 0
	see("ann", held, talks, "ben")
	see("ben", talking, talks, "ann")
	row.Held = false
	see("ann", talking, waits, "ben")
	if m := see("ben", held, waits, "ann"); !m.GetHeld() {
		t.Errorf("%s", m)
	}
	// Ben hung up while Ann held the caller: she is told until she takes the caller back.
	row.Held, row.HeldSince, row.Consult = true, 13, nil
	row.Transfers[1].EndedAt, row.Transfers[1].Outcome = 14, "left"
	if m := see("ann", held, over, "ben"); m.GetConsult().GetOutcome() != "left" {
		t.Errorf("%s", m)
	}
	row.HeldSince = 15 // held once more, later
	if m := callMessage(site, row, "ann"); m.GetConsult() != nil {
		t.Errorf("%s", m)
	}
}
