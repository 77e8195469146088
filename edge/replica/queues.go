package replica

import (
	"slices"

	"trunkline/edge/call"
)

func (m *machine) enqueue(c call.Enqueue) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if old.Phase != call.PhaseFlow || c.QueueID == "" {
		return refused(call.RefusedState)
	}
	if c.MaxWaiting != 0 && m.t.waitingIn(old.Tenant, c.QueueID) >= c.MaxWaiting {
		return refused(call.RefusedLimit)
	}
	row := editCall(old)
	row.Phase, row.QueueID, row.Priority, row.EnqueuedAt = call.PhaseQueued, c.QueueID, c.Priority, m.t.at
	row.FlowState = c.FlowState
	m.choose(row, c.Choice)
	m.beginVisit(row)
	m.keepCall(old, row)
	return call.Result{Call: row}
}

// beginVisit begins and counts a stay in the queue the row names.
func (m *machine) beginVisit(row *call.Call) {
	row.Visits = append(slices.Clone(row.Visits), call.QueueVisit{QueueID: row.QueueID, EnqueuedAt: m.t.at})
	m.countDay(row, func(d *call.QueueDay) { d.Offered++ })
}

func (m *machine) dequeue(c call.Dequeue) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if !waits(old) {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	res := call.Result{Call: row}
	if old.Phase == call.PhaseOffered {
		res.Agent = m.withdraw(row, "caller_left")
	}
	m.leaveQueue(row, c.Outcome)
	row.Phase, row.QueueID, row.Priority, row.EnqueuedAt = call.PhaseFlow, "", 0, 0
	row.FlowState = c.FlowState
	m.keepCall(old, row)
	return res
}

// endWait ends the visit of a caller who waited when the call ended. One whom the
// site lost has not abandoned. The record says so by how the call ended; its visit
// has the outcome older clouds know.
func (m *machine) endWait(row *call.Call, endedBy string) {
	if endedBy != "lost" || m.t.level < call.CountsLost {
		m.leaveQueue(row, leftBecause(endedBy))
		return
	}
	endVisit(row, m.t.at, leftBecause(endedBy))
	m.countDay(row, func(d *call.QueueDay) { d.Lost++ })
}

// leaveQueue ends the visit and counts it, for every way out but an answer.
func (m *machine) leaveQueue(row *call.Call, outcome string) {
	wait := m.t.at - row.WaitingSince()
	endVisit(row, m.t.at, outcome)
	if outcome != "abandoned" {
		return
	}
	m.countDay(row, func(d *call.QueueDay) {
		if wait < row.ShortAbandon {
			d.AbandonedShort++
		} else {
			d.Abandoned++
		}
	})
}

func endVisit(row *call.Call, at int64, outcome string) {
	if n := len(row.Visits); n > 0 {
		row.Visits = slices.Clone(row.Visits)
		row.Visits[n-1].LeftAt, row.Visits[n-1].Outcome = at, outcome
	}
}

func (m *machine) assign(c call.Assign) call.Result {
	old, ok := m.call(c.CallID)
	agent, ok2 := m.agent(c.AgentID)
	switch {
	case !ok || !ok2:
		return refused(call.RefusedNotFound)
	case old.Rev != c.CallRev || agent.Rev != c.AgentRev:
		return refused(call.RefusedStale)
	case old.Phase != call.PhaseQueued || agent.State != call.AgentReady || old.Tenant != agent.Tenant || c.Timeout <= 0:
		return refused(call.RefusedState)
	}
	row, g := editCall(old), editAgent(agent)
	row.Phase, row.AgentID = call.PhaseOffered, agent.ID
	row.OfferedAt, row.OfferDeadline = m.t.at, m.t.at+c.Timeout
	if n := len(row.Visits); n > 0 {
		row.Visits = slices.Clone(row.Visits)
		v := &row.Visits[n-1]
		v.Offers = append(slices.Clone(v.Offers), call.Offer{AgentID: agent.ID, OfferedAt: m.t.at})
	}
	m.enter(g, call.AgentReserved, "")
	g.CallID = row.ID
	m.keepCall(old, row)
	m.keepAgent(agent, g)
	return call.Result{Call: row, Agent: g}
}

// endOffer closes the offer, in the visit or the transfer, and clears it from the call.
func (m *machine) endOffer(row *call.Call, outcome string) {
	if row.Direct {
		m.endTransfer(row, outcome)
	} else if n := len(row.Visits); n > 0 && len(row.Visits[n-1].Offers) > 0 {
		row.Visits = slices.Clone(row.Visits)
		v := &row.Visits[n-1]
		v.Offers = slices.Clone(v.Offers)
		o := &v.Offers[len(v.Offers)-1]
		o.EndedAt, o.Outcome = m.t.at, outcome
	}
	row.OfferedAt, row.OfferDeadline, row.Direct = 0, 0, false
}

// withdraw ends the offer of a call that leaves the queue: the agent is ready
// again, at the old place among the idle.
func (m *machine) withdraw(row *call.Call, outcome string) *call.Agent {
	agent, ok := m.agent(row.AgentID)
	m.endOffer(row, outcome)
	row.AgentID = ""
	if !ok {
		return nil
	}
	g := editAgent(agent)
	m.free(g)
	m.keepAgent(agent, g)
	return g
}

// offered gives a call and the agent it is offered to, or why it is not.
func (m *machine) offered(callID, agentID string) (_ *call.Call, _ *call.Agent, refusal string) {
	c, ok := m.call(callID)
	if !ok {
		return nil, nil, call.RefusedNotFound
	}
	a, ok := m.agent(agentID)
	if c.Phase != call.PhaseOffered || c.AgentID != agentID || !ok {
		return nil, nil, call.RefusedState
	}
	return c, a, ""
}

func (m *machine) offerEnd(c call.OfferEnd) call.Result {
	old, agent, refusal := m.offered(c.CallID, c.AgentID)
	if refusal != "" {
		return refused(refusal)
	}
	row, g := editCall(old), editAgent(agent)
	m.backToQueue(row, c.Outcome)
	switch c.Outcome {
	case "call_lost":
		m.free(g)
	case "agent_lost":
		m.rest(g, call.ReasonConnectionLost)
	default:
		g.Day.Missed++
		m.rest(g, c.Outcome)
	}
	m.keepCall(old, row)
	m.keepAgent(agent, g)
	return call.Result{Call: row, Agent: g}
}

// backToQueue lets an offered call wait again where it was; one that was
// transferred, where it came from.
func (m *machine) backToQueue(row *call.Call, outcome string) {
	direct := row.Direct
	m.endOffer(row, outcome)
	row.Phase, row.AgentID = call.PhaseQueued, ""
	if direct {
		m.beginVisit(row)
	}
}

func (m *machine) connect(c call.Connect) call.Result {
	old, agent, refusal := m.offered(c.CallID, c.AgentID)
	if refusal != "" {
		return refused(refusal)
	}
	row, g := editCall(old), editAgent(agent)
	if !old.Direct {
		m.answered(row)
	}
	m.endOffer(row, "accepted")
	row.Phase, row.TalkingSince = call.PhaseTalking, m.t.at
	row.Talks = append(slices.Clone(row.Talks), call.Talk{AgentID: agent.ID, StartedAt: m.t.at})
	rollDay(g, row.DayStart)
	m.enter(g, call.AgentTalking, "")
	g.WrapCode, g.WrapNote, g.WrapStarted, g.WrapDeadline, g.LastCall = "", "", 0, 0, nil
	m.keepCall(old, row)
	m.keepAgent(agent, g)
	return call.Result{Call: row, Agent: g}
}

// answered ends the stay in the queue with an answer and counts it.
func (m *machine) answered(row *call.Call) {
	wait := m.t.at - row.WaitingSince()
	endVisit(row, m.t.at, "answered")
	m.countDay(row, func(d *call.QueueDay) {
		d.Answered++
		if wait <= row.ServiceLevel {
			d.AnsweredInLevel++
		}
	})
}

// countDay counts in the queue's day, which begins anew with the first call of
// a later day. Calls of the day before still count where they end.
func (m *machine) countDay(c *call.Call, add func(*call.QueueDay)) {
	d := call.QueueDay{Tenant: c.Tenant, QueueID: c.QueueID}
	if old, ok := m.t.days.Get(&d); ok {
		d = *old
	}
	if c.DayStart > d.Start {
		d = call.QueueDay{Tenant: c.Tenant, QueueID: c.QueueID, Start: c.DayStart}
	}
	add(&d)
	m.t.days.Set(&d)
	m.changed.queues.add(QueueKey{c.Tenant, c.QueueID})
}
