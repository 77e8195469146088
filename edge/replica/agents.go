package replica

import (
	"slices"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// enter changes the state of an edited row: the interval that ends becomes a
// fact and is counted. Leaving a call forgets it; CallID is set by the caller.
func (m *machine) enter(g *call.Agent, state call.AgentState, reason string) {
	if g.State == state && g.Reason == reason {
		return
	}
	if g.State != call.AgentOffline {
		m.factMessage(g.Tenant, "agent_interval", &edgev1.AgentInterval{
			AgentId: g.ID, State: g.State.String(), Reason: g.Reason, StartedAt: g.Since, EndedAt: m.t.at, CallId: callOf(g),
		})
		countState(&g.Day, g.State, max(0, m.t.at-max(g.Since, g.Day.Start)))
	}
	g.State, g.Reason, g.Since = state, reason, m.t.at
	if !inCall(state) {
		g.CallID = ""
	}
	if state == call.AgentOffline {
		m.dropSessions(g.ID)
	}
}

// inCall says whether an agent in this state belongs to a live call.
func inCall(s call.AgentState) bool {
	return s == call.AgentReserved || s == call.AgentTalking || s == call.AgentHeld
}

func callOf(g *call.Agent) string {
	if g.State == call.AgentWrapUp && g.LastCall != nil {
		return g.LastCall.ID
	}
	return g.CallID
}

func countState(d *call.AgentDay, state call.AgentState, spent int64) {
	switch state {
	case call.AgentReady:
		d.Ready += spent
	case call.AgentNotReady:
		d.NotReady += spent
	case call.AgentTalking:
		d.Talk += spent
	case call.AgentHeld:
		d.Held += spent
	case call.AgentWrapUp:
		d.WrapUp += spent
	}
}

func rollDay(g *call.Agent, start int64) {
	if start > g.Day.Start {
		g.Day = call.AgentDay{Start: start}
	}
}

// free makes an agent ready whose call went away through no fault of theirs:
// the place among the idle is kept. What was asked for meanwhile comes first.
func (m *machine) free(g *call.Agent) {
	since := g.ReadySince
	m.settle(g)
	if g.State == call.AgentReady && since != 0 {
		g.ReadySince = since
	}
}

// rest makes an agent not ready, unless they asked for another rest meanwhile.
func (m *machine) rest(g *call.Agent, reason string) {
	state := call.AgentNotReady
	if g.Next == call.AgentNotReady || g.Next == call.AgentOffline {
		state, reason = g.Next, g.NextReason
	}
	m.enter(g, state, reason)
	g.Next, g.NextReason, g.ReadySince = 0, "", 0
}

// settle is the end of a call or wrap-up: Next, or ready. Nobody is ready
// without an event stream that could carry an offer.
func (m *machine) settle(g *call.Agent) {
	state, reason := g.Next, g.NextReason
	if state == 0 {
		state, reason = call.AgentReady, ""
	}
	if state == call.AgentReady && len(g.Streams) == 0 && g.StreamsLost == 0 {
		state, reason = call.AgentNotReady, call.ReasonConnectionLost
	}
	m.enter(g, state, reason)
	g.Next, g.NextReason, g.ReadySince = 0, "", 0
	if state == call.AgentReady {
		g.ReadySince = m.t.at
	}
}

// afterCall sends the agent of an ended conversation to wrap-up.
func (m *machine) afterCall(row *call.Call, endedBy string, wrapUp int64) *call.Agent {
	agent, ok := m.agent(row.AgentID)
	if !ok {
		return nil
	}
	g := editAgent(agent)
	rollDay(g, row.DayStart)
	g.Day.Handled++
	if g.Next == call.AgentOffline {
		m.settle(g) // signed out meanwhile: nobody is there to write up
	} else {
		m.enter(g, call.AgentWrapUp, "")
		g.WrapStarted = m.t.at
		if wrapUp > 0 {
			g.WrapDeadline = m.t.at + wrapUp
		}
	}
	g.LastCall = &call.CallSummary{
		ID: row.ID, Caller: row.Caller, Called: row.Called, QueueID: row.QueueID, EnqueuedAt: row.EnqueuedAt,
		TalkingAt: row.TalkingSince, EndedAt: m.t.at, EndReason: endedBy, Menu: row.Menu,
	}
	if m.t.level >= call.KeepsName {
		g.LastCall.CallerName, g.LastCall.Test = row.CallerName, row.Test
	}
	m.keepAgent(agent, g)
	return g
}

func (m *machine) wrapUpSave(c call.WrapUpSave) call.Result {
	agent, ok := m.agent(c.AgentID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	// Notes may be begun while the call is on.
	during := agent.CallID == c.CallID && (agent.State == call.AgentTalking || agent.State == call.AgentHeld)
	if !during && !writesUp(agent, c.CallID) {
		return refused(call.RefusedState)
	}
	g := editAgent(agent)
	g.WrapCode, g.WrapNote = c.Code, c.Note
	m.keepAgent(agent, g)
	return call.Result{Agent: g}
}

func writesUp(g *call.Agent, callID string) bool {
	return g.State == call.AgentWrapUp && g.LastCall != nil && g.LastCall.ID == callID
}

func (m *machine) wrapUpEnd(c call.WrapUpEnd) call.Result {
	agent, ok := m.agent(c.AgentID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if !writesUp(agent, c.CallID) {
		return refused(call.RefusedState)
	}
	g := editAgent(agent)
	rollDay(g, c.DayStart)
	m.endWrapUp(g, c.Automatic)
	m.settle(g)
	m.keepAgent(agent, g)
	return call.Result{Agent: g}
}

// endWrapUp writes the fact, or leaves it with a call that goes on with somebody
// else, because a call's facts begin with its own. The state is left to the caller.
func (m *machine) endWrapUp(g *call.Agent, automatic bool) {
	w := call.WrapUp{AgentID: g.ID, Code: g.WrapCode, Note: g.WrapNote, StartedAt: g.WrapStarted, EndedAt: m.t.at, Automatic: automatic}
	if old, live := m.call(g.LastCall.ID); live {
		row := editCall(old)
		row.WrapUps = append(slices.Clone(row.WrapUps), w)
		m.keepCall(old, row)
	} else {
		m.factMessage(g.Tenant, "wrap_up", wrapUpRecord(g.LastCall.ID, w))
	}
	g.WrapCode, g.WrapNote, g.WrapStarted, g.WrapDeadline = "", "", 0, 0
}

func (m *machine) setAgentState(c call.SetAgentState) call.Result {
	agent, ok := m.agent(c.AgentID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	switch {
	case c.State == 0 && c.Queues != nil:
	case c.State != call.AgentReady && c.State != call.AgentNotReady, agent.State == call.AgentOffline:
		return refused(call.RefusedState)
	case agent.Next == call.AgentOffline && c.State != 0 && m.t.level >= call.KeepsCall:
		return refused(call.RefusedState) // signed out, and only here to end the call
	case c.State == call.AgentReady && len(agent.Streams) == 0:
		return refused(call.RefusedState) // an offer would reach nobody
	}
	g := editAgent(agent)
	rollDay(g, c.DayStart)
	if c.Queues != nil {
		g.Queues = sorted(c.Queues)
	}
	switch {
	case c.State == 0:
	case busy(g.State):
		g.Next, g.NextReason = c.State, reasonFor(c.State, c.Reason)
	case c.State == call.AgentReady:
		if g.State != call.AgentReady {
			g.ReadySince = m.t.at
		}
		m.enter(g, call.AgentReady, "")
	default:
		m.enter(g, call.AgentNotReady, c.Reason)
		g.ReadySince = 0
	}
	m.keepAgent(agent, g)
	return call.Result{Agent: g}
}

func busy(s call.AgentState) bool {
	return inCall(s) || s == call.AgentWrapUp
}

func reasonFor(s call.AgentState, reason string) string {
	if s == call.AgentReady {
		return ""
	}
	return reason
}

// sorted gives the queues sorted, without doubles, never nil.
func sorted(queues []string) []string {
	q := append([]string{}, queues...)
	slices.Sort(q)
	return slices.Compact(q)
}
