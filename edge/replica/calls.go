package replica

import (
	"slices"
	"strings"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func (m *machine) callStart(c call.CallStart) call.Result {
	if c.Call.ID == "" || c.Call.Owner == "" || c.Call.Tenant == 0 {
		return refused(call.RefusedState)
	}
	if _, ok := m.call(c.Call.ID); ok {
		return refused(call.RefusedState)
	}
	if n, ok := m.t.nodes.Get(&call.NodeInfo{Name: c.Call.Owner}); ok && !n.Up {
		return refused(call.RefusedState) // it died on the way here: nobody would take the call over
	}
	if live, _ := m.t.live.Get(count{tenant: c.Call.Tenant}); c.MaxCalls != 0 && live.n >= c.MaxCalls {
		return refused(call.RefusedLimit)
	}
	in := c.Call
	row := &call.Call{
		ID: in.ID, Tenant: in.Tenant, Rev: 1, Kind: in.Kind, Phase: call.PhaseFlow,
		Owner: in.Owner, Successor: m.nextUp(in.Owner),
		Caller: legible(in.Caller), CallerName: legible(in.CallerName), Called: legible(in.Called), TrunkID: in.TrunkID, SIPCallID: in.SIPCallID, Dialog: in.Dialog,
		FlowID: in.FlowID, FlowVersion: in.FlowVersion, FlowState: in.FlowState,
		StartedAt: m.t.at, AnsweredAt: m.t.at, DayStart: in.DayStart, Test: in.Test,
		ServiceLevel: in.ServiceLevel, ShortAbandon: in.ShortAbandon, SecretHash: in.SecretHash,
	}
	m.keepCall(nil, row)
	return call.Result{Call: row}
}

// legible makes text of a carrier fit for screens and facts.
func legible(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func (m *machine) flowStep(c call.FlowStep) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	// In a queue too: a key pressed while waiting is a step of the flow.
	if old.Phase != call.PhaseFlow && old.Phase != call.PhaseQueued {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	row.FlowState = c.FlowState
	m.choose(row, c.Choice)
	m.keepCall(old, row)
	return call.Result{Call: row}
}

func (m *machine) choose(row *call.Call, choice *call.MenuChoice) {
	if choice == nil {
		return
	}
	made := *choice
	made.At = m.t.at
	row.Menu = append(slices.Clone(row.Menu), made)
}

func (m *machine) dialog(c call.Dialog) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	row := editCall(old)
	if c.Outside {
		if old.Outside == nil || old.Outside.AnsweredAt == 0 {
			return refused(call.RefusedState)
		}
		out := *old.Outside
		out.Dialog, row.Outside = c.Dialog, &out
	} else {
		row.Dialog = c.Dialog
	}
	m.keepCall(old, row)
	return call.Result{Call: row}
}

func (m *machine) segment(c call.Segment) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	row := editCall(old)
	row.Segment++
	m.keepCall(old, row)
	return call.Result{Call: row}
}

func (m *machine) hold(c call.Hold) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	agent, ok := m.agent(old.AgentID)
	if old.Phase != call.PhaseTalking || !ok {
		return refused(call.RefusedState)
	}
	if old.Held == c.On {
		return call.Result{Call: old, Agent: agent}
	}
	row := editCall(old)
	g := m.setHeld(row, agent, c.On)
	m.keepCall(old, row)
	return call.Result{Call: row, Agent: g}
}

// setHeld holds the caller of an edited row or ends it, and gives its agent, kept.
func (m *machine) setHeld(row *call.Call, agent *call.Agent, on bool) *call.Agent {
	if row.Held == on {
		return agent
	}
	g, state := editAgent(agent), call.AgentTalking
	if on {
		row.Held, row.HeldSince = true, m.t.at
		state = call.AgentHeld
	} else {
		m.endHold(row)
	}
	m.enter(g, state, "")
	m.keepAgent(agent, g)
	return g
}

// endHold adds the time on hold to the conversation.
func (m *machine) endHold(row *call.Call) {
	if !row.Held {
		return
	}
	if n := len(row.Talks); n > 0 {
		row.Talks = slices.Clone(row.Talks)
		row.Talks[n-1].Held += m.t.at - row.HeldSince
	}
	row.Held, row.HeldSince = false, 0
}

func (m *machine) moved(c call.Moved) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if len(old.Moves) == 0 {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	row.Moves = slices.Clone(row.Moves)
	row.Moves[len(row.Moves)-1].Gap = c.Gap
	if c.Dialog != nil {
		row.Dialog = c.Dialog
	}
	m.keepCall(old, row)
	return call.Result{Call: row}
}

// callEnd closes everything that is open, writes the fact and removes the row.
func (m *machine) callEnd(c call.CallEnd) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	row := editCall(old)
	res := call.Result{Call: row}
	switch old.Phase {
	case call.PhaseQueued, call.PhaseOffered:
		if old.Phase == call.PhaseOffered {
			res.Agent = m.withdraw(row, lostBecause(c.EndedBy))
		}
		if waits(old) {
			m.endWait(row, c.EndedBy)
		}
	case call.PhaseTalking:
		m.dismiss(row, lostBecause(c.EndedBy))
		res.Agent = m.endTalk(row, c.EndedBy, c.WrapUp)
	case call.PhaseOutside:
		m.endRinging(row, lostBecause(c.EndedBy))
	}
	m.factMessage(row.Tenant, "call", callRecord(row, c, m.t.at))
	for _, w := range row.WrapUps {
		m.factMessage(row.Tenant, "wrap_up", wrapUpRecord(row.ID, w))
	}
	m.keepCall(old, nil)
	return res
}

// endTalk ends the conversation with the call's agent, who goes to wrap-up.
func (m *machine) endTalk(row *call.Call, endedBy string, wrapUp int64) *call.Agent {
	m.endHold(row)
	if n := len(row.Talks); n > 0 {
		row.Talks = slices.Clone(row.Talks)
		row.Talks[n-1].EndedAt = m.t.at
	}
	return m.afterCall(row, endedBy, wrapUp)
}

// lostBecause is the outcome of ringing somebody for a call that has ended.
func lostBecause(endedBy string) string {
	if endedBy == "caller" {
		return "caller_hung_up"
	}
	return "call_lost"
}

func leftBecause(endedBy string) string {
	switch endedBy {
	case "caller", "lost":
		return "abandoned"
	case "max_wait":
		return "max_wait"
	}
	return "flow"
}

func callRecord(c *call.Call, end call.CallEnd, at int64) *edgev1.CallRecord {
	rec := &edgev1.CallRecord{
		CallId: c.ID, Direction: "inbound", Caller: c.Caller, Called: c.Called, TrunkId: c.TrunkID, Node: c.Owner,
		StartedAt: c.StartedAt, AnsweredAt: c.AnsweredAt, EndedAt: at, EndedBy: end.EndedBy, EndReason: end.Reason,
		FlowId: c.FlowID, FlowVersion: c.FlowVersion, SipCallId: c.SIPCallID, Test: c.Test, SipStatus: end.SIPStatus,
	}
	for _, m := range c.Menu {
		rec.MenuPath = append(rec.MenuPath, &edgev1.MenuChoice{At: m.At, NodeId: m.NodeID, Digit: m.Digit, Label: m.Label})
	}
	for _, v := range c.Visits {
		visit := &edgev1.QueueVisit{QueueId: v.QueueID, EnqueuedAt: v.EnqueuedAt, LeftAt: v.LeftAt, Outcome: v.Outcome}
		for _, o := range v.Offers {
			visit.Offers = append(visit.Offers, &edgev1.Offer{AgentId: o.AgentID, OfferedAt: o.OfferedAt, EndedAt: o.EndedAt, Outcome: o.Outcome})
		}
		rec.QueueVisits = append(rec.QueueVisits, visit)
	}
	for _, t := range c.Talks {
		rec.Talks = append(rec.Talks, &edgev1.TalkSegment{AgentId: t.AgentID, StartedAt: t.StartedAt, EndedAt: t.EndedAt, HeldUs: t.Held})
	}
	for _, t := range c.Transfers {
		rec.Transfers = append(rec.Transfers, &edgev1.Transfer{
			At: t.At, ByAgent: t.By, QueueId: t.QueueID, AgentId: t.AgentID, Number: t.Number, EndedAt: t.EndedAt, Outcome: t.Outcome,
			Consult: t.Consult, AnsweredAt: t.AnsweredAt,
		})
	}
	for _, v := range c.Moves {
		rec.Moves = append(rec.Moves, &edgev1.Move{At: v.At, FromNode: v.From, ToNode: v.To, GapUs: v.Gap})
	}
	return rec
}

func wrapUpRecord(callID string, w call.WrapUp) *edgev1.WrapUp {
	return &edgev1.WrapUp{
		CallId: callID, AgentId: w.AgentID, Code: w.Code, Note: w.Note,
		StartedAt: w.StartedAt, EndedAt: w.EndedAt, Automatic: w.Automatic,
	}
}
