package replica

import (
	"slices"

	"trunkline/edge/call"
)

// An agent asks a colleague before passing the caller on. The call stays the
// agent's until TransferCall makes it the colleague's.

func (m *machine) consultCall(c call.ConsultCall) call.Result {
	old, ok := m.call(c.CallID)
	if !ok || old.AgentID != c.By {
		return refused(call.RefusedNotFound)
	}
	agent, ok := m.agent(c.By)
	if !ok || old.Phase != call.PhaseTalking || old.Consult != nil {
		return refused(call.RefusedState)
	}
	if code := m.ringable(old, c.By, c.AgentID, c.Timeout); code != "" {
		return refused(code)
	}
	row := editCall(old)
	row.Consult = &call.Consult{AgentID: c.AgentID}
	row.OfferedAt, row.OfferDeadline = m.t.at, m.t.at+c.Timeout
	row.Transfers = append(slices.Clone(row.Transfers), call.Transfer{At: m.t.at, By: c.By, AgentID: c.AgentID, Consult: true})
	g := m.setHeld(row, agent, true)
	m.reserve(c.AgentID, row.ID)
	m.keepCall(old, row)
	return call.Result{Call: row, Agent: g}
}

func (m *machine) consultJoin(c call.ConsultJoin) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	agent, ok := m.agent(c.AgentID)
	if !ok || old.Consulted() != c.AgentID || old.Consult.Joined() {
		return refused(call.RefusedState)
	}
	row, g := editCall(old), editAgent(agent)
	row.Consult = &call.Consult{AgentID: c.AgentID, JoinedAt: m.t.at}
	row.OfferedAt, row.OfferDeadline = 0, 0
	m.editConsult(row, func(t *call.Transfer) { t.AnsweredAt = m.t.at })
	rollDay(g, row.DayStart)
	m.enter(g, call.AgentTalking, "")
	g.WrapCode, g.WrapNote, g.WrapStarted, g.WrapDeadline, g.LastCall = "", "", 0, 0, nil
	m.keepCall(old, row)
	m.keepAgent(agent, g)
	return call.Result{Call: row, Agent: g}
}

// consultEnd: the colleague is free again; the agent who ended it is back with
// the caller.
func (m *machine) consultEnd(c call.ConsultEnd) call.Result {
	old, ok := m.call(c.CallID)
	if !ok || c.By != "" && old.AgentID != c.By {
		return refused(call.RefusedNotFound)
	}
	switch {
	case c.By != "" && old.Consult == nil:
		return call.Result{Call: old} // as they wanted
	case old.Consult == nil || c.By == "" && old.Consulted() != c.AgentID:
		return refused(call.RefusedState)
	}
	row := editCall(old)
	m.dismiss(row, c.Outcome)
	res := call.Result{Call: row}
	if agent, ok := m.agent(c.By); ok {
		res.Agent = m.setHeld(row, agent, false)
	}
	m.keepCall(old, row)
	return res
}

// completeConsult is TransferCall to the colleague who is asked.
func (m *machine) completeConsult(old *call.Call, c call.TransferCall) call.Result {
	if c.AgentID != old.Consulted() || c.QueueID != "" || c.Number != "" {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	offeredAt, deadline := row.OfferedAt, row.OfferDeadline
	m.forgetConsult(row, "completed")
	by := m.endTalk(row, "transferred", c.WrapUp)
	row.AgentID, row.TalkingSince = c.AgentID, 0
	row.Transfers = append(row.Transfers, call.Transfer{At: m.t.at, By: c.By, AgentID: c.AgentID})
	if old.Consult.Joined() {
		row.TalkingSince = m.t.at
		row.Talks = append(slices.Clone(row.Talks), call.Talk{AgentID: c.AgentID, StartedAt: m.t.at})
		m.endTransfer(row, "accepted")
	} else {
		row.Phase, row.Direct = call.PhaseOffered, true
		row.OfferedAt, row.OfferDeadline = offeredAt, deadline
	}
	m.keepCall(old, row)
	return call.Result{Call: row, Agent: by}
}

// dismiss ends the asking of a colleague, if there is one, and frees them.
func (m *machine) dismiss(row *call.Call, outcome string) {
	if row.Consult == nil {
		return
	}
	agent, ok := m.agent(row.Consulted())
	m.forgetConsult(row, outcome)
	if !ok {
		return
	}
	g := editAgent(agent)
	switch {
	case outcome == call.ReasonNoAnswer || outcome == call.ReasonRejected:
		g.Day.Missed++
		m.rest(g, outcome)
	default:
		g.WrapCode, g.WrapNote = "", ""
		m.free(g)
	}
	m.keepAgent(agent, g)
}

// forgetConsult takes the colleague out of an edited row; their state is left to
// the caller.
func (m *machine) forgetConsult(row *call.Call, outcome string) {
	row.Consult, row.OfferedAt, row.OfferDeadline = nil, 0, 0
	m.editConsult(row, func(t *call.Transfer) { t.EndedAt, t.Outcome = m.t.at, outcome })
}

// editConsult changes what is told of the colleague who is asked: the newest
// transfer of an edited row.
func (m *machine) editConsult(row *call.Call, edit func(*call.Transfer)) {
	row.Transfers = slices.Clone(row.Transfers)
	edit(&row.Transfers[len(row.Transfers)-1])
}
