package replica

import (
	"slices"

	"trunkline/edge/call"
)

func (m *machine) signIn(c call.SignIn) call.Result {
	s := c.Session
	if len(s.Hash) == 0 || s.AgentID == "" || s.Tenant == 0 || s.Expires <= 0 {
		return refused(call.RefusedState)
	}
	if m.t.session.Len() > 0 {
		if _, taken := m.t.session.Get(&call.Session{Hash: s.Hash}); taken {
			return refused(call.RefusedState)
		}
	}
	old, known := m.agent(s.AgentID)
	if known && old.Tenant != s.Tenant {
		return refused(call.RefusedNotFound)
	}
	m.dropSessions(s.AgentID)
	s.Created, s.Expires = m.t.at, m.t.at+s.Expires
	m.t.putSession(&s)

	var g *call.Agent
	if known {
		g = editAgent(old)
	} else {
		g = &call.Agent{ID: s.AgentID, Tenant: s.Tenant, Rev: 1, State: call.AgentOffline, Since: m.t.at}
	}
	rollDay(g, c.DayStart)
	g.Name, g.Queues = s.Name, sorted(c.Queues)
	if g.Next == call.AgentOffline {
		g.Next, g.NextReason = 0, ""
	}
	if g.State == call.AgentOffline || g.State == call.AgentReady || g.State == call.AgentNotReady && g.Reason == call.ReasonConnectionLost {
		m.enter(g, call.AgentNotReady, call.ReasonSignedIn)
		g.ReadySince = 0
	}
	if len(g.Streams) == 0 {
		g.StreamsLost = m.t.at // the browser has LeaseGrace to connect
	}
	m.keepAgent(old, g)
	return call.Result{Agent: g}
}

func (m *machine) dropSessions(agentID string) {
	var gone []*call.Session
	m.t.byAgent.Ascend(&call.Session{AgentID: agentID}, func(s *call.Session) bool {
		if s.AgentID != agentID {
			return false
		}
		gone = append(gone, s)
		return true
	})
	for _, s := range gone {
		m.t.dropSession(s)
	}
}

func (m *machine) signOut(c call.SignOut) call.Result {
	if c.AgentID == "" {
		for _, agent := range m.t.agentsOf(c.Tenant) {
			m.signOutOne(agent, c.Reason)
		}
		return call.Result{}
	}
	agent, ok := m.agent(c.AgentID)
	if !ok || agent.Tenant != c.Tenant {
		return refused(call.RefusedNotFound)
	}
	return call.Result{Agent: m.signOutOne(agent, c.Reason)}
}

// signOutOne: who is in a call stays until it is over, with the session, unless
// it was their own wish (no reason).
func (m *machine) signOutOne(agent *call.Agent, reason string) *call.Agent {
	inTalk := agent.State == call.AgentTalking || agent.State == call.AgentHeld
	if !inTalk || reason == "" || m.t.level < call.KeepsCall {
		m.dropSessions(agent.ID)
	}
	m.changed.agents.add(agent.ID)
	if agent.State == call.AgentOffline {
		return agent
	}
	g := editAgent(agent)
	switch g.State {
	case call.AgentTalking, call.AgentHeld:
		g.Next, g.NextReason = call.AgentOffline, reason
		m.keepAgent(agent, g)
		return g
	case call.AgentReserved:
		m.returnOffer(g, "agent_lost")
	case call.AgentWrapUp:
		m.endWrapUp(g, true)
	}
	g.Next, g.NextReason, g.ReadySince = 0, "", 0
	m.enter(g, call.AgentOffline, reason)
	m.keepAgent(agent, g)
	return g
}

// returnOffer puts the call an edited agent is rung for back into its queue, or
// no longer asks them about it; the agent's state is left to the caller.
func (m *machine) returnOffer(g *call.Agent, outcome string) {
	old, ok := m.call(g.CallID)
	switch {
	case !ok:
	case old.Phase == call.PhaseOffered && old.AgentID == g.ID:
		row := editCall(old)
		m.backToQueue(row, outcome)
		m.keepCall(old, row)
	case old.Consulted() == g.ID:
		row := editCall(old)
		m.forgetConsult(row, outcome)
		m.keepCall(old, row)
	}
}

func (m *machine) agentStream(c call.AgentStream) call.Result {
	agent, ok := m.agent(c.AgentID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if slices.Contains(agent.Streams, c.Node) == c.On {
		return call.Result{Agent: agent}
	}
	g := editAgent(agent)
	if c.On {
		g.Streams = sorted(append(slices.Clone(g.Streams), c.Node))
		g.StreamsLost = 0
		if m.t.level >= call.KeepsCall && g.Next == call.AgentNotReady && g.NextReason == call.ReasonConnectionLost {
			g.Next, g.NextReason = 0, "" // back before the call was over
		}
	} else {
		m.dropStream(g, c.Node)
	}
	m.keepAgent(agent, g)
	return call.Result{Agent: g}
}

// dropStream takes a node's stream from an edited row.
func (m *machine) dropStream(g *call.Agent, node string) {
	i := slices.Index(g.Streams, node)
	if i < 0 {
		return
	}
	g.Streams = slices.Delete(slices.Clone(g.Streams), i, i+1)
	if len(g.Streams) == 0 {
		g.Streams, g.StreamsLost = nil, m.t.at
	}
}

func (m *machine) agentLost(c call.AgentLost) call.Result {
	agent, ok := m.agent(c.AgentID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if len(agent.Streams) > 0 || agent.StreamsLost == 0 || agent.State == call.AgentOffline ||
		m.t.at < agent.StreamsLost+call.LeaseGrace {
		return refused(call.RefusedState)
	}
	g := editAgent(agent)
	g.StreamsLost = 0
	switch g.State {
	case call.AgentTalking, call.AgentHeld, call.AgentWrapUp:
		rests := g.Next == call.AgentNotReady && m.t.level >= call.KeepsCall
		if g.Next != call.AgentOffline && !rests {
			g.Next, g.NextReason = call.AgentNotReady, call.ReasonConnectionLost
		}
	case call.AgentReserved:
		m.returnOffer(g, "agent_lost")
		m.rest(g, call.ReasonConnectionLost)
	default:
		m.rest(g, call.ReasonConnectionLost)
	}
	m.keepAgent(agent, g)
	return call.Result{Agent: g}
}
