package replica

import (
	"slices"

	"trunkline/edge/call"
)

// transferCall: the agent gives the caller away and goes to wrap-up.
func (m *machine) transferCall(c call.TransferCall) call.Result {
	old, ok := m.call(c.CallID)
	if !ok || old.AgentID != c.By {
		return refused(call.RefusedNotFound)
	}
	if old.Phase != call.PhaseTalking {
		return refused(call.RefusedState)
	}
	if old.Consult != nil {
		return m.completeConsult(old, c)
	}
	if code := m.refuseTransfer(old, c); code != "" {
		return refused(code)
	}
	row := editCall(old)
	by := m.endTalk(row, "transferred", c.WrapUp)
	row.AgentID, row.TalkingSince = "", 0
	row.Transfers = append(slices.Clone(row.Transfers), call.Transfer{At: m.t.at, By: c.By, QueueID: c.QueueID, AgentID: c.AgentID, Number: c.Number})
	switch {
	case c.QueueID != "":
		row.Phase, row.QueueID, row.EnqueuedAt = call.PhaseQueued, c.QueueID, m.t.at
		m.beginVisit(row)
		m.endTransfer(row, "queued")
	case c.Number != "":
		row.Phase, row.Outside = call.PhaseOutside, &call.Outside{Number: c.Number}
		row.OfferedAt, row.OfferDeadline = m.t.at, m.t.at+c.Timeout
	default:
		row.Phase, row.Direct, row.AgentID = call.PhaseOffered, true, c.AgentID
		row.OfferedAt, row.OfferDeadline = m.t.at, m.t.at+c.Timeout
		m.reserve(c.AgentID, row.ID)
	}
	m.keepCall(old, row)
	return call.Result{Call: row, Agent: by}
}

// refuseTransfer says why the caller cannot be passed on so; "" when they can.
func (m *machine) refuseTransfer(row *call.Call, c call.TransferCall) string {
	switch {
	case c.AgentID != "" && c.QueueID == "" && c.Number == "":
		return m.ringable(row, c.By, c.AgentID, c.Timeout)
	case c.QueueID != "" && c.AgentID == "" && c.Number == "":
		if c.MaxWaiting != 0 && m.t.waitingIn(row.Tenant, c.QueueID) >= c.MaxWaiting {
			return call.RefusedLimit
		}
		return ""
	case c.Number != "" && c.QueueID == "" && c.AgentID == "" && c.Timeout > 0 && row.QueueID != "":
		if n, _ := m.t.outside.Get(count{tenant: row.Tenant}); c.MaxOutside != 0 && n.n >= c.MaxOutside {
			return call.RefusedLimit
		}
		return ""
	}
	return call.RefusedState
}

// ringable says why the target cannot be rung; "" when it can.
func (m *machine) ringable(row *call.Call, by, target string, timeout int64) string {
	agent, ok := m.agent(target)
	switch {
	case !ok || agent.Tenant != row.Tenant:
		return call.RefusedNotFound
	case target == by || timeout <= 0:
		return call.RefusedState
	case !agent.Ringable():
		return call.RefusedBusy
	}
	return ""
}

// reserve rings an agent whom a colleague asks for. Who was not ready is so
// again afterwards.
func (m *machine) reserve(agentID, callID string) {
	agent, ok := m.agent(agentID)
	if !ok {
		return
	}
	g := editAgent(agent)
	if g.State == call.AgentNotReady {
		g.Next, g.NextReason = call.AgentNotReady, g.Reason
	}
	m.enter(g, call.AgentReserved, "")
	g.CallID = callID
	m.keepAgent(agent, g)
}

// endTransfer closes the newest transfer.
func (m *machine) endTransfer(row *call.Call, outcome string) {
	if n := len(row.Transfers); n > 0 {
		row.Transfers = slices.Clone(row.Transfers)
		row.Transfers[n-1].EndedAt, row.Transfers[n-1].Outcome = m.t.at, outcome
	}
}
